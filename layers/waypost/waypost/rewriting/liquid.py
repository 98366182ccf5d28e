"""Liquid as templates of messages may use it: python-liquid with limits against hostile input.

No files can be included, loops and output are bounded, and a variable that a recipient's data
lacks is an error of that recipient rather than a hole in their message; ``default`` and conditions
may still ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from liquid import BoundTemplate, Environment
from liquid.exceptions import (
    LiquidError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
    UndefinedError,
)
from liquid.undefined import FalsyStrictUndefined

from waypost.errors import InvalidRequest

OUTPUT_LIMIT = 2 * 1024 * 1024
"""Bytes that one rendering may give."""
LOOP_LIMIT = 10_000
"""Rounds that all loops of one rendering may take."""


class Missing(FalsyStrictUndefined):
    """A variable the data lacks: false to conditions, replaced by ``default``, else an error."""

    __slots__ = ()
    force_liquid_default = True


class TemplateEnvironment(Environment):
    """The Liquid of messages."""

    loop_iteration_limit: ClassVar[int | None] = LOOP_LIMIT
    output_stream_limit: ClassVar[int | None] = OUTPUT_LIMIT
    local_namespace_limit: ClassVar[int | None] = OUTPUT_LIMIT


class LenientEnvironment(TemplateEnvironment):
    """The Liquid of workspace settings, where a missing variable is an empty value."""


STRICT = TemplateEnvironment(undefined=Missing)
LENIENT = LenientEnvironment()


def is_liquid(text: str) -> bool:
    """Whether rendering could change the text."""
    return "{{" in text or "{%" in text


def compiled(source: str, field: str, environment: Environment = STRICT) -> BoundTemplate:
    """Parse a template.

    :raises InvalidRequest: naming ``field``, and the line, when it is not Liquid.
    """
    try:
        return environment.from_string(source)
    except LiquidError as error:
        raise InvalidRequest.of(field, f"is not valid Liquid{_line(error)}") from error


def rendered(template: BoundTemplate, data: Mapping[str, object], field: str) -> str:
    """Render a template with one recipient's data.

    :raises InvalidRequest: naming ``field`` and the reason; the text is never a library's.
    """
    try:
        return template.render(**data)
    except LiquidError as error:
        raise InvalidRequest.of(field, _reason(error)) from error


def _reason(error: LiquidError) -> str:
    match error:
        case UndefinedError():
            return f"{error.message}{_line(error)}"
        case LoopIterationLimitError():
            return f"loops more than {LOOP_LIMIT:,} times{_line(error)}"
        case OutputStreamLimitError():
            return f"renders to more than {OUTPUT_LIMIT:,} bytes{_line(error)}"
        case ResourceLimitError():
            return f"is nested too deeply or keeps too much{_line(error)}"
        case _:
            return f"cannot be rendered{_line(error)}"


def _line(error: LiquidError) -> str:
    if error.token is None or error.token.start_index < 0:
        return ""
    return f" (line {error.token.source.count(chr(10), 0, error.token.start_index) + 1})"

"""Liquid as templates of messages may use it: python-liquid with limits against hostile input.

No files can be included, loops and output are bounded, and a variable that a recipient's data
lacks is an error of that recipient rather than a hole in their message; ``default`` and conditions
may still ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar, Final

from liquid import BoundTemplate, Environment, Token
from liquid.exceptions import (
    LiquidError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.undefined import UNDEFINED, FalsyStrictUndefined

from waypost.errors import InvalidRequest, Problem
from waypost.rewrite.links.occurrence import Encode, as_is
from waypost.rewrite.liquid.link_tracking import (
    CaptureTag,
    CioLinkTag,
    ContentTag,
    MarkTag,
    OutputTag,
)
from waypost.rewriting.liquid.canvas import Canvas, Guards
from waypost.rewriting.liquid.filters import bounded
from waypost.rewriting.liquid.marking import NO_MARKS, Marks, marked
from waypost.rewriting.liquid.tokenizing import tokenizer

OUTPUT_LIMIT: Final = 2 * 1024 * 1024
"""Characters that one rendering may give, and any variable of it may hold."""
LOOP_LIMIT: Final = 10_000
"""Rounds that all loops of one rendering may take, inner ones multiplied by outer ones."""

_LONGEST_PATH: Final = 200

_TOKENIZER: Final = tokenizer()
# What a recipient's data makes of a template; python-liquid leaves some of it to Python's errors.
_FAILURES: Final = (LiquidError, RecursionError, ArithmeticError, TypeError, ValueError)


class Missing(FalsyStrictUndefined):
    """A variable the data lacks: false to conditions, replaced by ``default``, else an error."""

    __slots__ = ()
    force_liquid_default = True

    def __init__(
        self, name: str, *, token: Token | None, obj: object = UNDEFINED, hint: str | None = None
    ) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        path = hint.removesuffix(" is undefined") if hint else name
        self.msg = f"{_shown(path)} is missing from the recipient's data"


def _shown(path: str) -> str:
    """The beginning of a path, in characters: what stands in its brackets may be out of the data,
    of any length, and half of a surrogate pair, which no answer can hold.
    """
    short = path if len(path) <= _LONGEST_PATH else path[:_LONGEST_PATH] + "…"
    return short.encode(errors="backslashreplace").decode()


class TemplateEnvironment(Environment):
    """The Liquid of messages. ``unescape`` reads the arguments of ``cio_link``, ``encode`` writes
    its url; ``marks`` are those of the template ``source``.
    """

    loop_iteration_limit: ClassVar[int | None] = LOOP_LIMIT
    output_stream_limit: ClassVar[int | None] = OUTPUT_LIMIT
    local_namespace_limit: ClassVar[int | None] = OUTPUT_LIMIT

    def __init__(
        self,
        unescape: Encode = as_is,
        encode: Encode = as_is,
        source: str = "",
        marks: Marks = NO_MARKS,
    ) -> None:
        super().__init__(undefined=Missing)
        self.unescape = unescape
        self.encode = encode
        self._source = source
        self._marks = marks
        for tag in (ContentTag, OutputTag, CaptureTag, CioLinkTag, MarkTag):
            self.add_tag(tag)
        bounded(self.filters, OUTPUT_LIMIT)

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        return self._tokens

    def _tokens(self, source: str) -> Iterator[Token]:
        tokens = _TOKENIZER(source)
        # Not those of a url in it, which is a template of its own.
        return marked(tokens, self._marks) if source is self._source else tokens


class SettingsEnvironment(Environment):
    """The Liquid of workspace settings, where a missing variable is an empty value."""

    loop_iteration_limit: ClassVar[int | None] = LOOP_LIMIT
    output_stream_limit: ClassVar[int | None] = 64 * 1024
    local_namespace_limit: ClassVar[int | None] = 64 * 1024

    def __init__(self) -> None:
        super().__init__()
        bounded(self.filters, 64 * 1024)


SETTINGS: Final = SettingsEnvironment()


def is_liquid(text: str) -> bool:
    """Whether rendering could change the text."""
    return "{{" in text or "{%" in text


def compiled(source: str, field: str, environment: Environment) -> BoundTemplate:
    """Parse a template.

    :raises InvalidRequest: naming ``field``, and the line, when it is not Liquid.
    """
    try:
        return environment.from_string(source)
    except (LiquidError, RecursionError) as error:
        raise InvalidRequest.of(field, f"is not valid Liquid{_line(error)}") from error


def rendered(template: BoundTemplate, data: Mapping[str, object], field: str) -> str:
    """Render a template with one recipient's data.

    :raises InvalidRequest: naming ``field`` and the reason; the text is never a library's.
    """
    try:
        text = template.render(data)
    except _FAILURES as error:
        raise InvalidRequest.of(field, _reason(error)) from error
    return checked(text, field)


def checked(text: str, field: str) -> str:
    """A rendered text, all of it characters: data may hold what is none, and no message can.

    :raises InvalidRequest: naming ``field``, for half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest.of(field, "renders to half of a surrogate pair") from None
    return text


def painted(
    template: BoundTemplate, data: Mapping[str, object], guards: Guards, field: str
) -> Canvas:
    """Render a template onto a canvas. Raises as ``rendered``."""
    canvas = Canvas(OUTPUT_LIMIT, guards)
    context = template.context_class(template, globals=template.make_globals(data))
    try:
        template.render_with_context(context, canvas)
    except InvalidRequest as error:
        raise InvalidRequest(*(Problem(field, p.reason) for p in error.problems)) from None
    except _FAILURES as error:
        raise InvalidRequest.of(field, _reason(error)) from error
    return canvas


def _reason(error: Exception) -> str:
    match error:
        case UndefinedError():
            return f"{error.message}{_line(error)}"
        case LoopIterationLimitError():
            return f"loops more than {LOOP_LIMIT:,} times{_line(error)}"
        case OutputStreamLimitError():
            return f"renders to more than {OUTPUT_LIMIT:,} characters{_line(error)}"
        case ResourceLimitError():
            return f"keeps more than {OUTPUT_LIMIT:,} bytes or nests too deeply{_line(error)}"
        case UnknownFilterError():
            return f"uses a filter that does not exist{_line(error)}"
        case _:
            return f"cannot be rendered{_line(error)}"


def _line(error: Exception) -> str:
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return ""
    return f" (line {token.source.count(chr(10), 0, token.start_index) + 1})"

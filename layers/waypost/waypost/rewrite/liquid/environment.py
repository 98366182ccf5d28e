"""Liquid as templates of messages may use it: python-liquid with limits against hostile input.

No files can be included, loops and output are bounded, and a variable that a recipient's data
lacks is an error of that recipient rather than a hole in their message; ``default`` and conditions
may still ask for it.

Filters of messages: what a recipient's data makes of them stays an error of Liquid's.

Those that can multiply their input are bounded before they do: memory is spent by then. Whole
numbers are bounded, too: no longer than Python would write them, they multiply in no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, ClassVar, Final

from liquid import BoundTemplate, Environment, Token
from liquid.exceptions import (
    FilterArgumentError,
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
    NO_MARKS,
    Canvas,
    CaptureTag,
    CioLinkTag,
    ContentTag,
    Guards,
    Marks,
    MarkTag,
    OutputTag,
    marked,
)
from waypost.rewrite.liquid.scanner import tokenizer

Filter = Callable[..., Any]  # python-liquid's own type of a filter
Size = Callable[..., int]

LONGEST_NUMBER: Final = 14_000
"""Bits of a whole number, some 4,200 digits: Python writes 4,300 at most."""


def bounded(filters: dict[str, Filter], limit: int) -> None:
    """Make filters refuse what would give more than ``limit`` characters, and what they cannot do
    with a value: python-liquid leaves much of that to Python's own errors.
    """
    for name, call in filters.items():
        size = _SIZES.get(name)
        filters[name] = _telling(call if size is None else _refusing(call, size, limit))


def _telling(call: Filter) -> Filter:
    @wraps(call)
    def told(*arguments: object, **options: object) -> object:
        try:
            value = call(*arguments, **options)
        except (LiquidError, TypeError):  # python-liquid says itself where those happened
            raise
        except (ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise FilterArgumentError("not for this value", token=None) from error
        if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
            raise FilterArgumentError("too large a number", token=None)
        return value

    return told


def _refusing(call: Filter, size: Size, limit: int) -> Filter:
    @wraps(call)
    def checked(value: object, *arguments: object, **options: object) -> object:
        if size(value, *arguments) > limit:
            raise OutputStreamLimitError("filter limit", token=None)
        return call(value, *arguments, **options)

    return checked


def _length(value: object) -> int:
    if isinstance(value, (str, list, tuple)):
        return len(value)
    return 32


def _replaced(value: object, old: object = "", new: object = "", *_: object) -> int:
    text = value if isinstance(value, str) else ""
    found = text.count(old) if isinstance(old, str) else 0
    return len(text) + found * _length(new)


def _together(value: object, other: object = "", *_: object) -> int:
    return _length(value) + _length(other)


def _joined(value: object, separator: object = " ", *_: object) -> int:
    if not isinstance(value, (list, tuple)):
        return _length(value)
    return sum(map(_length, value)) + len(value) * _length(separator)


_SIZES: dict[str, Size] = {
    "replace": _replaced,
    "append": _together,
    "prepend": _together,
    "concat": _together,
    "join": _joined,
}


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

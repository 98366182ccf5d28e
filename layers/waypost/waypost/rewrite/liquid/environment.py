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
from waypost.rewrite.links.occurrence import TextTransform, pass_through
from waypost.rewrite.liquid.link_marks import (
    NO_TEMPLATE_LINKS,
    CaptureTag,
    CioLinkTag,
    ContentTag,
    LinkMarkTag,
    LinkTrackingBuffer,
    OutputTag,
    TemplateLinks,
    ValueGuards,
    insert_link_marks,
)
from waypost.rewrite.liquid.scanner import create_tokenizer

LiquidFilter = Callable[..., Any]  # python-liquid's own type of a filter
SizeEstimate = Callable[..., int]

MAX_NUMBER_BITS: Final = 14_000
"""Bits of a whole number, some 4,200 digits: Python writes 4,300 at most."""


def limit_filters(filters: dict[str, LiquidFilter], limit: int) -> None:
    """Make filters refuse what would give more than ``limit`` characters, and what they cannot do
    with a value: python-liquid leaves much of that to Python's own errors.
    """
    for name, call in filters.items():
        size = _SIZE_ESTIMATES.get(name)
        filters[name] = _wrap_errors(call if size is None else _wrap_size_limit(call, size, limit))


def _wrap_errors(call: LiquidFilter) -> LiquidFilter:
    @wraps(call)
    def call_with_liquid_errors(*arguments: object, **options: object) -> object:
        try:
            value = call(*arguments, **options)
        except (LiquidError, TypeError):  # python-liquid says itself where those happened
            raise
        except (ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise FilterArgumentError("not for this value", token=None) from error
        if isinstance(value, int) and value.bit_length() > MAX_NUMBER_BITS:
            raise FilterArgumentError("too large a number", token=None)
        return value

    return call_with_liquid_errors


def _wrap_size_limit(call: LiquidFilter, size: SizeEstimate, limit: int) -> LiquidFilter:
    @wraps(call)
    def call_within_limit(value: object, *arguments: object, **options: object) -> object:
        if size(value, *arguments) > limit:
            raise OutputStreamLimitError("filter limit", token=None)
        return call(value, *arguments, **options)

    return call_within_limit


def _estimate_length(value: object) -> int:
    if isinstance(value, (str, list, tuple)):
        return len(value)
    return 32


def _estimate_replace(value: object, old: object = "", new: object = "", *_: object) -> int:
    text = value if isinstance(value, str) else ""
    found = text.count(old) if isinstance(old, str) else 0
    return len(text) + found * _estimate_length(new)


def _estimate_concat(value: object, other: object = "", *_: object) -> int:
    return _estimate_length(value) + _estimate_length(other)


def _estimate_join(value: object, separator: object = " ", *_: object) -> int:
    if not isinstance(value, (list, tuple)):
        return _estimate_length(value)
    return sum(map(_estimate_length, value)) + len(value) * _estimate_length(separator)


_SIZE_ESTIMATES: dict[str, SizeEstimate] = {
    "replace": _estimate_replace,
    "append": _estimate_concat,
    "prepend": _estimate_concat,
    "concat": _estimate_concat,
    "join": _estimate_join,
}


MAX_OUTPUT_CHARACTERS: Final = 2 * 1024 * 1024
"""Characters that one rendering may give, and any variable of it may hold."""
MAX_LOOP_ITERATIONS: Final = 10_000
"""Rounds that all loops of one rendering may take, inner ones multiplied by outer ones."""

_MAX_PATH_LENGTH: Final = 200

_TOKENIZER: Final = create_tokenizer()
# What a recipient's data makes of a template; python-liquid leaves some of it to Python's errors.
_RENDER_ERRORS: Final = (LiquidError, RecursionError, ArithmeticError, TypeError, ValueError)


class MissingVariable(FalsyStrictUndefined):
    """A variable the data lacks: false to conditions, replaced by ``default``, else an error."""

    __slots__ = ()
    force_liquid_default = True

    def __init__(
        self, name: str, *, token: Token | None, obj: object = UNDEFINED, hint: str | None = None
    ) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        path = hint.removesuffix(" is undefined") if hint else name
        self.msg = f"{_shorten_path(path)} is missing from the recipient's data"


def _shorten_path(path: str) -> str:
    """The beginning of a path, in characters: what stands in its brackets may be out of the data,
    of any length, and half of a surrogate pair, which no answer can hold.
    """
    short = path if len(path) <= _MAX_PATH_LENGTH else path[:_MAX_PATH_LENGTH] + "…"
    return short.encode(errors="backslashreplace").decode()


class TemplateEnvironment(Environment):
    """The Liquid of messages. ``unescape`` reads the arguments of ``cio_link``, ``encode`` writes
    its url; ``marks`` are those of the template ``source``.
    """

    loop_iteration_limit: ClassVar[int | None] = MAX_LOOP_ITERATIONS
    output_stream_limit: ClassVar[int | None] = MAX_OUTPUT_CHARACTERS
    local_namespace_limit: ClassVar[int | None] = MAX_OUTPUT_CHARACTERS

    def __init__(
        self,
        decode_arguments: TextTransform = pass_through,
        encode: TextTransform = pass_through,
        source: str = "",
        template_links: TemplateLinks = NO_TEMPLATE_LINKS,
    ) -> None:
        super().__init__(undefined=MissingVariable)
        self.decode_arguments = decode_arguments
        self.encode = encode
        self._source = source
        self._template_links = template_links
        for tag in (ContentTag, OutputTag, CaptureTag, CioLinkTag, LinkMarkTag):
            self.add_tag(tag)
        limit_filters(self.filters, MAX_OUTPUT_CHARACTERS)

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        return self._tokenize

    def _tokenize(self, source: str) -> Iterator[Token]:
        tokens = _TOKENIZER(source)
        # Not those of a url in it, which is a template of its own.
        return insert_link_marks(tokens, self._template_links) if source is self._source else tokens


class SettingsEnvironment(Environment):
    """The Liquid of workspace settings, where a missing variable is an empty value."""

    loop_iteration_limit: ClassVar[int | None] = MAX_LOOP_ITERATIONS
    output_stream_limit: ClassVar[int | None] = 64 * 1024
    local_namespace_limit: ClassVar[int | None] = 64 * 1024

    def __init__(self) -> None:
        super().__init__()
        limit_filters(self.filters, 64 * 1024)


SETTINGS_ENVIRONMENT: Final = SettingsEnvironment()


def is_liquid(text: str) -> bool:
    """Whether rendering could change the text."""
    return "{{" in text or "{%" in text


def compile_liquid(source: str, field: str, environment: Environment) -> BoundTemplate:
    """Parse a template.

    :raises InvalidRequest: naming ``field``, and the line, when it is not Liquid.
    """
    try:
        return environment.from_string(source)
    except (LiquidError, RecursionError) as error:
        raise InvalidRequest.from_field(
            field, f"is not valid Liquid{_describe_line(error)}"
        ) from error


def render_liquid(template: BoundTemplate, data: Mapping[str, object], field: str) -> str:
    """Render a template with one recipient's data.

    :raises InvalidRequest: naming ``field`` and the reason; the text is never a library's.
    """
    try:
        text = template.render(data)
    except _RENDER_ERRORS as error:
        raise InvalidRequest.from_field(field, _describe_error(error)) from error
    return check_characters(text, field)


def check_characters(text: str, field: str) -> str:
    """A rendered text, all of it characters: data may hold what is none, and no message can.

    :raises InvalidRequest: naming ``field``, for half of a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest.from_field(field, "renders to half of a surrogate pair") from None
    return text


def render_tracked(
    template: BoundTemplate, data: Mapping[str, object], guards: ValueGuards, field: str
) -> LinkTrackingBuffer:
    """Render a template onto a canvas. Raises as ``rendered``."""
    canvas = LinkTrackingBuffer(MAX_OUTPUT_CHARACTERS, guards)
    context = template.context_class(template, globals=template.make_globals(data))
    try:
        template.render_with_context(context, canvas)
    except InvalidRequest as error:
        raise InvalidRequest(*(Problem(field, p.reason) for p in error.problems)) from None
    except _RENDER_ERRORS as error:
        raise InvalidRequest.from_field(field, _describe_error(error)) from error
    return canvas


def _describe_error(error: Exception) -> str:
    match error:
        case UndefinedError():
            return f"{error.message}{_describe_line(error)}"
        case LoopIterationLimitError():
            return f"loops more than {MAX_LOOP_ITERATIONS:,} times{_describe_line(error)}"
        case OutputStreamLimitError():
            return (
                f"renders to more than {MAX_OUTPUT_CHARACTERS:,} characters{_describe_line(error)}"
            )
        case ResourceLimitError():
            line = _describe_line(error)
            return f"keeps more than {MAX_OUTPUT_CHARACTERS:,} bytes or nests too deeply{line}"
        case UnknownFilterError():
            return f"uses a filter that does not exist{_describe_line(error)}"
        case _:
            return f"cannot be rendered{_describe_line(error)}"


def _describe_line(error: Exception) -> str:
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return ""
    return f" (line {token.source.count(chr(10), 0, token.start_index) + 1})"

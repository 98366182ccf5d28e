"""Limit python-liquid against hostile templates and data, for messages and settings.

Templates cannot include files, and loops, output and variables are bounded. A filter that can
multiply its input checks the size of its result first, because afterwards the memory is already
used. Whole numbers are bounded to the digits that Python prints, because repeated multiplication
grows them exponentially.

In a message, a variable that the recipient's data lacks fails that recipient instead of leaving a
gap in the text; ``default`` and conditions may still use it. Filters that cannot process a value
raise a Liquid error, not one of Python's.
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
    LinkTrackingBuffer,
    TemplateLinks,
    ValueGuards,
    insert_link_marks,
    register_link_tags,
)
from waypost.rewrite.liquid.scanner import create_tokenizer

MAX_OUTPUT_CHARACTERS: Final = 2 * 1024 * 1024
"""Characters of one rendered text, and of each variable in it."""
MAX_LOOP_ITERATIONS: Final = 10_000
"""Iterations of all loops of one rendering; nested loops multiply."""
_MAX_SETTING_CHARACTERS: Final = 64 * 1024
_MAX_NUMBER_BITS: Final = 14_000
"""About 4,200 digits; Python prints at most 4,300 (sys.set_int_max_str_digits)."""
_MAX_PATH_LENGTH: Final = 200

_TOKENIZER: Final = create_tokenizer()
# Errors that the data of a recipient can cause; python-liquid does not convert all of Python's.
_RENDER_ERRORS: Final = (LiquidError, RecursionError, ArithmeticError, TypeError, ValueError)

_LiquidFilter = Callable[..., Any]
_SizeEstimate = Callable[..., int]


class MissingVariable(FalsyStrictUndefined):
    """A missing variable: false in conditions, replaced by ``default``, otherwise an error."""

    __slots__ = ()
    force_liquid_default = True

    def __init__(
        self, name: str, *, token: Token | None, obj: object = UNDEFINED, hint: str | None = None
    ) -> None:
        super().__init__(name, token=token, obj=obj, hint=hint)
        path = hint.removesuffix(" is undefined") if hint else name
        self.msg = f"{_shorten_path(path)} is missing from the recipient's data"


class TemplateEnvironment(Environment):
    """The Liquid of messages.

    ``decode_arguments`` reads the arguments of ``cio_link`` and ``encode`` writes its url.
    ``template_links`` are the links of the template ``source``.
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
        self._source = source
        self._template_links = template_links
        register_link_tags(self, decode_arguments, encode)
        _limit_filters(self.filters, MAX_OUTPUT_CHARACTERS)

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        """Return the tokenizer that python-liquid calls for each template of this environment."""
        return self._tokenize

    def _tokenize(self, source: str) -> Iterator[Token]:
        tokens = _TOKENIZER(source)
        # The url of a cio_link is another template, without links.
        return insert_link_marks(tokens, self._template_links) if source is self._source else tokens


class SettingsEnvironment(Environment):
    """The Liquid of workspace settings, in which a missing variable is an empty value."""

    loop_iteration_limit: ClassVar[int | None] = MAX_LOOP_ITERATIONS
    output_stream_limit: ClassVar[int | None] = _MAX_SETTING_CHARACTERS
    local_namespace_limit: ClassVar[int | None] = _MAX_SETTING_CHARACTERS

    def __init__(self) -> None:
        super().__init__()
        _limit_filters(self.filters, _MAX_SETTING_CHARACTERS)


def is_liquid(text: str) -> bool:
    """Return True if rendering could change the text."""
    return "{{" in text or "{%" in text


def compile_liquid(source: str, field: str, environment: Environment) -> BoundTemplate:
    """Compile a template.

    :raises InvalidRequest: with ``field`` and the line, if it is not valid Liquid.
    """
    try:
        return environment.from_string(source)
    except (LiquidError, RecursionError) as error:
        raise InvalidRequest.from_field(
            field, f"is not valid Liquid{_describe_line(error)}"
        ) from error


def render_liquid(template: BoundTemplate, data: Mapping[str, object], field: str) -> str:
    """Render a template with the data of one recipient.

    :raises InvalidRequest: with ``field`` and a reason that contains no text of a library.
    """
    try:
        text = template.render(data)
    except _RENDER_ERRORS as error:
        raise InvalidRequest.from_field(field, _describe_error(error)) from error
    _check_characters(text, field)
    return text


def render_tracked(
    template: BoundTemplate, data: Mapping[str, object], guards: ValueGuards, field: str
) -> tuple[str, LinkTrackingBuffer]:
    """Render a template into a buffer that records its links; return the text and the buffer.

    :raises InvalidRequest: like ``render_liquid``.
    """
    buffer = LinkTrackingBuffer(MAX_OUTPUT_CHARACTERS, guards)
    context = template.context_class(template, globals=template.make_globals(data))
    try:
        template.render_with_context(context, buffer)
    except InvalidRequest as error:
        raise InvalidRequest(
            *(Problem(field, problem.reason) for problem in error.problems)
        ) from None
    except _RENDER_ERRORS as error:
        raise InvalidRequest.from_field(field, _describe_error(error)) from error
    text = buffer.getvalue()
    _check_characters(text, field)
    return text, buffer


def _check_characters(text: str, field: str) -> None:
    """Refuse a lone surrogate: data may contain one, but no message can encode it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest.from_field(field, "renders to a lone surrogate") from None


def _describe_error(error: Exception) -> str:
    line = _describe_line(error)
    match error:
        case UndefinedError():
            return f"{error.message}{line}"
        case LoopIterationLimitError():
            return f"loops more than {MAX_LOOP_ITERATIONS:,} times{line}"
        case OutputStreamLimitError():
            return f"renders to more than {MAX_OUTPUT_CHARACTERS:,} characters{line}"
        case ResourceLimitError():
            return f"stores more than {MAX_OUTPUT_CHARACTERS:,} bytes or nests too deeply{line}"
        case UnknownFilterError():
            return f"uses a filter that does not exist{line}"
        case _:
            return f"cannot be rendered{line}"


def _describe_line(error: Exception) -> str:
    token = getattr(error, "token", None)
    if token is None or token.start_index < 0:
        return ""
    return f" (line {token.source.count(chr(10), 0, token.start_index) + 1})"


def _shorten_path(path: str) -> str:
    """Return the beginning of a variable's path, safe to encode.

    A name in brackets can come from the data, have any length, and contain a lone surrogate.
    """
    short = path if len(path) <= _MAX_PATH_LENGTH else path[:_MAX_PATH_LENGTH] + "…"
    return short.encode(errors="backslashreplace").decode()


def _limit_filters(filters: dict[str, _LiquidFilter], limit: int) -> None:
    """Limit filters to ``limit`` characters and convert their Python errors to Liquid errors."""
    for name, call in filters.items():
        estimate = _SIZE_ESTIMATES.get(name)
        filters[name] = _wrap_errors(
            call if estimate is None else _wrap_size_limit(call, estimate, limit)
        )


def _wrap_errors(call: _LiquidFilter) -> _LiquidFilter:
    @wraps(call)
    def call_with_liquid_errors(*arguments: object, **options: object) -> object:
        try:
            value = call(*arguments, **options)
        except (LiquidError, TypeError):  # python-liquid adds the line to these
            raise
        except (ValueError, LookupError, ArithmeticError, AttributeError) as error:
            raise FilterArgumentError("unsupported value", token=None) from error
        if isinstance(value, int) and value.bit_length() > _MAX_NUMBER_BITS:
            raise FilterArgumentError("number too large", token=None)
        return value

    return call_with_liquid_errors


def _wrap_size_limit(call: _LiquidFilter, estimate: _SizeEstimate, limit: int) -> _LiquidFilter:
    @wraps(call)
    def call_within_limit(value: object, *arguments: object, **options: object) -> object:
        if estimate(value, *arguments) > limit:
            raise OutputStreamLimitError("filter limit", token=None)
        return call(value, *arguments, **options)

    return call_within_limit


def _estimate_length(value: object) -> int:
    if isinstance(value, (str, list, tuple)):
        return len(value)
    return 32


def _estimate_replace(value: object, old: object = "", new: object = "", *_: object) -> int:
    text = value if isinstance(value, str) else ""
    count = text.count(old) if isinstance(old, str) else 0
    return len(text) + count * _estimate_length(new)


def _estimate_concat(value: object, other: object = "", *_: object) -> int:
    return _estimate_length(value) + _estimate_length(other)


def _estimate_join(value: object, separator: object = " ", *_: object) -> int:
    if not isinstance(value, (list, tuple)):
        return _estimate_length(value)
    return sum(map(_estimate_length, value)) + len(value) * _estimate_length(separator)


_SIZE_ESTIMATES: dict[str, _SizeEstimate] = {
    "replace": _estimate_replace,
    "append": _estimate_concat,
    "prepend": _estimate_concat,
    "concat": _estimate_concat,
    "join": _estimate_join,
}

SETTINGS_ENVIRONMENT: Final = SettingsEnvironment()

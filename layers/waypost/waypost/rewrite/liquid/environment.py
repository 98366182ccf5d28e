"""Compile the Liquid of messages and settings.

Templates cannot include files. Their number of tags and outputs is limited, and so are brackets and
white space in each, for which python-liquid takes quadratic time. In a message, a variable that the
recipient's data lacks fails that recipient instead of leaving a gap in the text; ``default`` and
conditions may still use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import ClassVar, Final

from liquid import BoundTemplate, Environment, Token
from liquid.exceptions import BlockNestingError, LiquidError, LiquidSyntaxError
from liquid.token import TOKEN_EXPRESSION
from liquid.undefined import UNDEFINED, FalsyStrictUndefined

from waypost.errors import InvalidRequest
from waypost.rewrite.links.occurrence import TextTransform, pass_through
from waypost.rewrite.liquid.link_marks import (
    NO_TEMPLATE_LINKS,
    TemplateLinks,
    insert_link_marks,
    register_link_tags,
)
from waypost.rewrite.liquid.runtime import describe_line, limit_template
from waypost.rewrite.liquid.scanner import tokenize_template

MAX_OUTPUT_CHARACTERS: Final = 2 * 1024 * 1024
"""Characters of one rendered text, and of each variable in it."""
MAX_LOOP_ITERATIONS: Final = 10_000
"""Iterations of a loop; those of nested loops multiply."""
MAX_TEMPLATE_TAGS: Final = 20_000
"""Tags and outputs of a template that have an expression."""
MAX_TAG_BRACKETS: Final = 200
"""Brackets in a tag or an output."""
MAX_TAG_WHITE_SPACE: Final = 200
"""Characters of white space next to each other in a tag or an output."""
_MAX_SETTING_CHARACTERS: Final = 64 * 1024
_MAX_PATH_LENGTH: Final = 200

_LONG_WHITE_SPACE = re.compile(rf"\s{{{MAX_TAG_WHITE_SPACE},}}\s")


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


class TemplateTooComplex(LiquidSyntaxError):
    """Raised if a template exceeds a limit of compiling. Its message is a reason."""


class _LimitedEnvironment(Environment):
    """Liquid with limits of compiling and rendering."""

    loop_iteration_limit: ClassVar[int | None] = MAX_LOOP_ITERATIONS

    def tokenizer(self) -> Callable[[str], Iterator[Token]]:
        """Return the tokenizer that python-liquid calls for each template of this environment."""
        return self._tokenize

    def _tokenize(self, source: str) -> Iterator[Token]:
        return _limit_tokens(tokenize_template(source))


def _limit_tokens(tokens: Iterator[Token]) -> Iterator[Token]:
    """Pass tokens on. Raises TemplateTooComplex."""
    count = 0
    for token in tokens:
        if token.kind == TOKEN_EXPRESSION:
            count += 1
            if count > MAX_TEMPLATE_TAGS:
                count += sum(each.kind == TOKEN_EXPRESSION for each in tokens)
                reason = (
                    f"has {count:,} tags and outputs of Liquid; "
                    f"at most {MAX_TEMPLATE_TAGS:,} are allowed"
                )
                raise TemplateTooComplex(reason, token=token)
            if len(token.value) > min(MAX_TAG_BRACKETS, MAX_TAG_WHITE_SPACE):
                _check_expression(token)
        yield token


def _check_expression(token: Token) -> None:
    brackets = token.value.count("(") + token.value.count("[")
    if brackets > MAX_TAG_BRACKETS:
        reason = f"has {brackets:,} brackets in one tag; at most {MAX_TAG_BRACKETS:,} are allowed"
        raise TemplateTooComplex(reason, token=token)
    if space := _LONG_WHITE_SPACE.search(token.value):
        reason = (
            f"has {len(space[0]):,} characters of white space in a row in one tag; "
            f"at most {MAX_TAG_WHITE_SPACE:,} are allowed"
        )
        raise TemplateTooComplex(reason, token=token)


class TemplateEnvironment(_LimitedEnvironment):
    """The Liquid of messages.

    ``decode_arguments`` reads the arguments of ``cio_link`` and ``encode`` writes its url.
    ``template_links`` are the links of the template ``source``.
    """

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

    def _tokenize(self, source: str) -> Iterator[Token]:
        tokens = super()._tokenize(source)
        # The url of a cio_link is another template, without links.
        return insert_link_marks(tokens, self._template_links) if source is self._source else tokens


class SettingsEnvironment(_LimitedEnvironment):
    """The Liquid of workspace settings, in which a missing variable is an empty value."""

    output_stream_limit: ClassVar[int | None] = _MAX_SETTING_CHARACTERS
    local_namespace_limit: ClassVar[int | None] = _MAX_SETTING_CHARACTERS


def is_liquid(text: str) -> bool:
    """Return True if rendering could change the text."""
    return "{{" in text or "{%" in text


def compile_liquid(source: str, field: str, environment: Environment) -> BoundTemplate:
    """Compile a template.

    :raises InvalidRequest: with ``field`` and the line, if it is not valid Liquid.
    """
    try:
        template = environment.from_string(source)
    except LiquidError as error:
        reason = _describe_error(error, environment) + describe_line(error)
        raise InvalidRequest.from_field(field, reason) from error
    limit_template(template)
    return template


def _describe_error(error: LiquidError, environment: Environment) -> str:
    if isinstance(error, TemplateTooComplex):
        return str(error.message)
    if isinstance(error, BlockNestingError):
        limit = environment.block_nesting_limit
        return f"is not valid Liquid: nests blocks more than {limit} deep"
    if isinstance(error.__cause__, RecursionError):
        return "is not valid Liquid: nests too deeply"
    return "is not valid Liquid"


def _shorten_path(path: str) -> str:
    """Return the beginning of a variable's path, safe to encode.

    A name in brackets can come from the data, have any length, and contain a lone surrogate.
    """
    short = path if len(path) <= _MAX_PATH_LENGTH else path[:_MAX_PATH_LENGTH] + "…"
    return short.encode(errors="backslashreplace").decode()


SETTINGS_ENVIRONMENT: Final = SettingsEnvironment()

"""Tokens of a template equal those of python-liquid's own lexer."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from liquid import Environment, Token
from liquid.exceptions import LiquidSyntaxError

from waypost.rewrite.liquid.environment import TemplateEnvironment

PIECE = st.one_of(
    st.sampled_from(
        [
            *("{{ a }}", "{{- a -}}", "{% if a %}", "{%- endif -%}", "{% raw %}", "{%- endraw -%}"),
            *("{% comment %}", "{%- endcomment -%}", "{% doc %}", "{% enddoc -%}", "{% # x %}"),
            *("{{", "{%", "{#", "}}", "%}", "-%}", "{", "}", "%", "-", "\n", "\r\n", " ", "\t"),
        ]
    ),
    st.text(max_size=3),
)


def list_tokens(tokenize: Callable[[str], Iterable[Token]], source: str) -> list[Token | None]:
    """List the tokens; after an error, its token is the last one."""
    tokens: list[Token | None] = []
    try:
        tokens.extend(tokenize(source))
    except LiquidSyntaxError as error:
        tokens.append(error.token)
    return tokens


@settings(max_examples=5 * settings().max_examples)
@given(st.lists(PIECE, max_size=9).map("".join))
@example("{{ a -}} b\n")
@example("{{ a -}}\n\n")
@example("{\n{%- if a %}{ {{- a }}{")
def test_generated_template_has_the_tokens_of_the_library(source):
    library = Environment().tokenizer()
    assert list_tokens(TemplateEnvironment().tokenizer(), source) == list_tokens(library, source)

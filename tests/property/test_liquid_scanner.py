"""A template is cut into the tokens that python-liquid itself would cut it into."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import example, given, settings
from hypothesis import strategies as st
from liquid import Environment, Token
from liquid.exceptions import LiquidSyntaxError
from liquid.lex import compile_liquid_rules

from waypost.rewrite.liquid.environment import TemplateEnvironment
from waypost.rewrite.liquid.scanner import LIBRARY_TEXT_RULE

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


def tokens(tokenize: Callable[[str], Iterable[Token]], source: str) -> list[Token] | str:
    try:
        return list(tokenize(source))
    except LiquidSyntaxError as error:
        return str(error)


@settings(max_examples=5 * settings().max_examples)
@given(st.lists(PIECE, max_size=9).map("".join))
@example("{{ a -}} b\n")
@example("{{ a -}}\n\n")
@example("{\n{%- if a %}{ {{- a }}{")
def test_tokens_are_those_of_the_librarys_own_lexer(source):
    theirs = Environment().tokenizer()
    assert tokens(TemplateEnvironment().tokenizer(), source) == tokens(theirs, source)


def test_the_library_still_words_the_rule_that_ours_stands_in_for():
    assert LIBRARY_TEXT_RULE in compile_liquid_rules().pattern

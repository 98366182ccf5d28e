"""A value of ``cio_link`` ends where a regular expression of exponential time ends it."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from waypost.rewrite.links.cio_link import _read_value

OUTPUT = r"\{\{(?:(?!\}\}).)*\}\}"
VALUE = re.compile(
    rf"(?P<quote>[\"'])(?P<quoted>(?:{OUTPUT}|(?!(?P=quote)).)*)(?P=quote)|(?:{OUTPUT}|\S)*",
    re.DOTALL,
)
PIECE = st.sampled_from(
    ["{{", "}}", "{", "}", '"', "'", " ", "a", ",", "\n", "{{a}}", "{{'}}", '{{"}}', "url:"]
)


@settings(max_examples=5 * settings().max_examples)
@given(st.lists(PIECE, max_size=10).map("".join))
@example('"{{ " }} {{ " }}')
@example('"{{ a " b }}')
def test_value_ends_where_the_expression_ends_it(source):
    found = VALUE.match(source)
    assert found is not None
    value = found["quoted"] if found["quote"] else found[0].removesuffix(",")
    assert _read_value(source, 0) == (value, found.end())

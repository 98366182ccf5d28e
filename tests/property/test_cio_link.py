"""Values of ``cio_link`` end where one regular expression ends them, which takes exponential time."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from waypost.errors import InvalidRequest
from waypost.rewrite.links.cio_link import parse_cio_link

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
    rest = source[found.end() :]
    try:
        url = parse_cio_link(f"url:{source}", "content.text").url
    except InvalidRequest:
        assert not value or rest.strip(" ,\n")
    else:
        assert url == value or "url:" in rest

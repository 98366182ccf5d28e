"""Values of users whose tags are escaped."""

from __future__ import annotations

import pytest

from waypost.client import escape_tags


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        (
            "{% cio_link url:https://evil.example %}",
            "{\u200c% cio_link url:https://evil.example %}",
        ),
        ("{%{%- x", "{\u200c%{\u200c%- x"),
        ("{", "{\u200c"),
        ("%", "\u200c%"),
        ("{%", "{\u200c%"),
        ("a {", "a {\u200c"),
        ("% off", "\u200c% off"),
    ],
)
def test_opening_of_a_tag_is_separated(value: str, escaped: str):
    assert escape_tags(value) == escaped
    assert escape_tags(escaped) == escaped


@pytest.mark.parametrize(
    "value", ["", "Ada", "100 %", "{{ name }}", "x %}", "a { b % c", "50% {x}\n"]
)
def test_value_that_cannot_begin_a_tag_is_unchanged(value: str):
    assert escape_tags(value) == value

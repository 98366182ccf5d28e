"""Filters: dates and markup as in Shopify's Liquid, and limits of every call."""

from __future__ import annotations

import warnings
from datetime import UTC, date, datetime
from typing import Self

import pytest
from liquid import Environment

from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import TEXT_LINKS
from waypost.rewrite.liquid.filters import FILTERS, format_liquid_date, strip_html
from waypost.rewrite.liquid.runtime import MAX_RENDER_STEPS, WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate

NOON = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp())


def render(source: str, **data: object) -> str:
    return LiquidTemplate(TEXT_LINKS, source, "content.text").render(data, WorkBudget()).text


def fail(source: str, **data: object) -> str:
    """Render a template that fails, and return the reason."""
    with pytest.raises(InvalidRequest) as raised:
        render(source, **data)
    return raised.value.problems[0].reason


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NOON, "2026-11-21"),
        (str(NOON), "2026-11-21"),
        (0, "1970-01-01"),
        (-86_400, "1969-12-31"),
        ("2026-11-21", "2026-11-21"),
        ("21 Nov 2026 10:00:00 +0100", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21"),
        (date(2026, 11, 21), "2026-11-21"),
    ],
)
def test_date_is_formatted(value: object, expected: str) -> None:
    assert render("{{ x | date: '%Y-%m-%d' }}", x=value) == expected


@pytest.mark.parametrize(
    "value",
    [
        NOON * 1_000,
        NOON * 1_000_000,
        NOON * 1_000_000_000,
        str(NOON * 1_000_000_000),
        -(10**18),
        10**4_000,
        "9" * 4_000,
        "-1e9x",
        "soon",
        "",
        "2026-99-99",
        "2026-11-21T10:00:00+99:99",
        "x" * 10_000,
        "\ud7ff",
        "²",
        1.5,
        float("inf"),
        float("nan"),
        True,
        None,
        [NOON],
        {"at": NOON},
    ],
    ids=lambda value: repr(value)[:30],
)
def test_value_that_is_no_date_is_returned_unchanged(value: object) -> None:
    assert render("{{ x | date: '%Y' }}", x=value) == render("{{ x }}", x=value)


@pytest.mark.parametrize("text", ["now", "today", "NOW", "Today"])
def test_date_of_now_is_formatted(text: str) -> None:
    assert render("{{ x | date: '%Y' }}", x=text).isdecimal()


def test_empty_format_returns_the_date_unchanged() -> None:
    assert render("{{ x | date: '' }}", x="2026-11-21") == "2026-11-21"


def test_result_of_a_date_does_not_depend_on_the_values_before() -> None:
    """Python compares 1, 1.0 and True as equal, so a cache would confuse them."""
    assert [format_liquid_date(x, "%Y") for x in (1.0, True, 1)] == [1.0, True, "1970"]


class FirstOfMay(date):
    @classmethod
    def today(cls) -> Self:
        return cls(2026, 5, 1)


class SecondOfMay(date):
    @classmethod
    def today(cls) -> Self:
        return cls(2026, 5, 2)


def test_time_without_a_date_is_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    for today, expected in ((FirstOfMay, "01"), (SecondOfMay, "02")):
        monkeypatch.setattr("waypost.rewrite.liquid.filters.date", today)
        assert format_liquid_date("10:00", "%d") == expected


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("10:00 UTC", "+0000"),
        ("10:00 Z", "+0000"),
        ("10:00 +02:00", "+0200"),
        ("10:00 BRST", ""),
        ("10:00", ""),
    ],
)
def test_unknown_time_zone_is_ignored_without_a_warning(text: str, zone: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert format_liquid_date(f"2026-11-21 {text}", "%H%z") == f"10{zone}"


def test_error_of_a_filter_names_the_filter_and_the_line() -> None:
    reason = "the filter divided_by rejects its value or arguments (line 2)"
    assert reason in fail("\n{{ x | divided_by: 0 }}", x=1)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a <b class='x'>b</b></p>", "a b"),
        ("a<script>x < y</script>b<STYLE>x</STYLE>c<!-- <p> -->d", "abcd"),
        ("a<br/>b<!DOCTYPE x>c", "abc"),
        ("a &lt; b &amp; c", "a &lt; b &amp; c"),
        ("1 < 2", "1 < 2"),
        ("<script>a<b>c", "ac"),
        ("<!-- a<b>c", "c"),
        ("a\n<p\nid=x>\nb", "a\n\nb"),
        ("<![x]>a", "a"),
        ("", ""),
    ],
)
def test_markup_is_stripped_as_in_shopify(html: str, text: str) -> None:
    assert strip_html(html) == text


@pytest.mark.parametrize(
    "unit", ["<a ", "<", "<!--", "<script>", "<style></", "<script><!--<style>", "&#", "<a href='"]
)
def test_megabyte_of_unclosed_markup_is_stripped(unit: str) -> None:
    """python-liquid takes 4 seconds for 10,000 characters of some."""
    strip_html(">" + unit * (1_000_000 // len(unit)))


def test_every_filter_of_python_liquid_is_limited() -> None:
    assert FILTERS.keys() == Environment().filters.keys()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{ (1..100000000) | join }}", "has a range of 100,000,000 numbers; at most 10,000"),
        ("{{ (1..n) | size }}", "has a range of over 1,000,000,000,000,000 numbers"),
        ("{{ x | split: '' }}", "the filter split gives 32,000,000 characters"),
        ("{{ x | split: 'x' }}", "the filter split gives 33,000,000 characters"),
        ("{{ spaces | split: ' ' }}", "the filter split gives 17,000,000 characters"),
        ("{{ x | append: x | append: x }}", "the filter append gives 3,000,000 characters"),
        ("{{ x | prepend: x | prepend: x }}", "the filter prepend gives 3,000,000 characters"),
        ("{{ items | concat: items }}", "the filter concat gives 2,640,000 characters"),
        ("{{ items | join: x }}", "the filter join gives 40,000,040,000 characters"),
        ("{{ nested | join: x }}", "the filter join gives 40,000,0"),
        ("{{ items | replace: ',', x }}", "the filter replace gives 39,999,"),
        ("{{ x | url_encode | replace: '', x }}", "the filter replace gives"),
        ("{{ commas | escape | url_encode }}", "the filter url_encode gives 3,000,000 characters"),
        ("{{ 0 | date: x }}", "the filter date gives 256,000,000 characters"),
        ("{{ digits | times: digits }}", "the filter times gives a number of 8,000 digits"),
    ],
)
def test_result_over_its_limit_is_refused_with_size_limit_and_line(
    source: str, reason: str
) -> None:
    actual = fail(
        source,
        x="x" * 1_000_000,
        spaces="x " * 500_000,
        commas="," * 1_000_000,
        items=["a"] * 40_000,
        nested=[[["a"] * 400] * 10] * 10,
        n=10**30,
        digits=10**4_000,
    )
    assert reason in actual
    assert actual.endswith("are allowed (line 1)")


def test_range_of_ten_thousand_numbers_is_allowed() -> None:
    assert render("{{ (1..10000) | size }}") == "10000"


def test_filters_that_select_pass_data_of_any_size() -> None:
    items = [{"name": "x" * 100, "kind": n % 2} for n in range(20_000)]
    source = "{{ items | where: 'kind', 1 | sort: 'name' | map: 'kind' | first }}"
    assert render(source, items=items) == "1"


@pytest.mark.parametrize("options", ["environment: 1", "context: 1", "value: 1", "token: 1"])
def test_option_named_like_an_internal_parameter_is_rejected(options: str) -> None:
    assert "the filter join rejects" in fail("{{ x | join: " + options + " }}", x=["a"])


def test_steps_of_filters_are_proportional_to_their_input() -> None:
    def count_steps(size: int) -> int:
        budget = WorkBudget()
        template = LiquidTemplate(TEXT_LINKS, "{{ x | upcase | size }}", "content.text")
        template.render({"x": "x" * size}, budget)
        return budget.spent

    assert 3_000 <= count_steps(200_000) - count_steps(100_000) < 4_000
    assert count_steps(10) < MAX_RENDER_STEPS / 100_000

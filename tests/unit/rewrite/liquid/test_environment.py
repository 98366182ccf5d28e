"""Limits of compiling a template: each is named with the value, the field and the line."""

from __future__ import annotations

import pytest

from tests.message_harness import MessageHarness
from waypost.errors import InvalidRequest
from waypost.rewrite.compiler import MAX_LINKS
from waypost.rewrite.links.extractor import HTML_LINKS, TEXT_LINKS, Markup
from waypost.rewrite.liquid.environment import (
    MAX_TAG_BRACKETS,
    MAX_TAG_WHITE_SPACE,
    MAX_TEMPLATE_TAGS,
    SETTINGS_ENVIRONMENT,
    compile_liquid,
)
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("\n{{ " + "(" * 500 + " }}", "has 500 brackets in one tag; at most 200 are allowed"),
        ("\n{{ a" + "['a'" * 500 + " }}", "has 500 brackets in one tag; at most 200 are allowed"),
        ("\n{{ a" + "[b" * 500 + " }}", "has 500 brackets in one tag; at most 200 are allowed"),
        (
            "\n{% liquid echo a" + "\r" * 500 + "x %}",
            "has 500 characters of white space in a row in one tag; at most 200 are allowed",
        ),
        (
            "\n{% # a" + "\n" * 500 + "# %}",
            "has 500 characters of white space in a row in one tag; at most 200 are allowed",
        ),
        (
            "\n" + "{% if a %}" * 31 + "{% endif %}" * 31,
            "is not valid Liquid: nests blocks more than 30 deep",
        ),
        (
            "\n" + "{{ a }}" * 30_000,
            "has 30,000 tags and outputs of Liquid; at most 20,000 are allowed",
        ),
    ],
    ids=lambda text: text[:30],
)
def test_limit_of_compiling_is_named_with_the_value_and_the_line(source: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        LiquidTemplate(HTML_LINKS, source, "content.html")
    [problem] = raised.value.problems
    assert problem.field == "content.html"
    assert problem.reason == f"{reason} (line 2)"


@pytest.mark.parametrize(
    "source",
    [
        "{{ a" + "['a']" * MAX_TAG_BRACKETS + " | default: 1 }}",
        "{% if a == 1" + " " * MAX_TAG_WHITE_SPACE + "or b %}{% endif %}",
        "{% if a %}" * 30 + "{% endif %}" * 30,
        "{{ a }}" * MAX_TEMPLATE_TAGS,
        "{% if " + "a == 1 or " * 100 + " b %}{% endif %}",
    ],
    ids=lambda source: source[:30],
)
def test_template_at_a_limit_is_rendered(source: str) -> None:
    template = LiquidTemplate(TEXT_LINKS, source, "content.text")
    assert template.render({"a": {}}, WorkBudget()).text.replace("{}", "") in ("", "1")


def test_condition_of_thousands_of_terms_is_refused() -> None:
    source = "{% if " + "a or " * 10_000 + "a %}{% endif %}"
    with pytest.raises(InvalidRequest, match="is not valid Liquid: nests too deeply"):
        LiquidTemplate(HTML_LINKS, source, "content.html")


@pytest.mark.parametrize("unit", ["(", "['a'", "a[", "a['a' "])
def test_megabyte_of_brackets_is_refused(unit: str) -> None:
    source = "{{ a " + unit * (MEGABYTE // len(unit)) + " }}"
    with pytest.raises(InvalidRequest, match="brackets in one tag; at most 200 are allowed"):
        LiquidTemplate(HTML_LINKS, source, "content.html")


@pytest.mark.parametrize("markup", [HTML_LINKS, TEXT_LINKS])
@pytest.mark.parametrize(
    "unit", ["{% assign x = 1 %}", "{{ x }}", "<!--[if a]>{{ x }}<![endif]-->"]
)
def test_template_of_many_tags_without_white_space_is_compiled(markup: Markup, unit: str) -> None:
    source = unit * MAX_TEMPLATE_TAGS
    template = LiquidTemplate(markup, source, "content.text")
    assert template.render({"x": ""}, WorkBudget()).text in ("", source.replace("{{ x }}", ""))


def test_url_of_a_cio_link_has_the_same_limits() -> None:
    source = "{% cio_link url:https://e.com/{{a" + "[b]" * 201 + "}} %}"
    with pytest.raises(InvalidRequest, match="has 201 brackets in one tag"):
        LiquidTemplate(HTML_LINKS, source, "content.html")


def test_setting_has_the_same_limits() -> None:
    with pytest.raises(InvalidRequest, match=r"url_params\.a: has 201 brackets in one tag"):
        compile_liquid("{{ a" + "[b]" * 201 + " }}", "url_params.a", SETTINGS_ENVIRONMENT)


@pytest.mark.parametrize("liquid", [False, True])
def test_message_with_too_many_links_is_refused(messages: MessageHarness, liquid: bool) -> None:
    reason = f"has 10,001 links; at most {MAX_LINKS:,} are allowed"
    content = {"html": "<a href=https://e.com/>" * (MAX_LINKS + 1)}
    with pytest.raises(InvalidRequest, match=f"content.html: {reason}"):
        messages.rewrite(content=content, liquid=liquid)


def test_links_of_all_texts_count_together(messages: MessageHarness) -> None:
    text = {"html": "<a href=https://e.com/>" * MAX_LINKS, "text": "https://e.com/ https://f.com/"}
    with pytest.raises(InvalidRequest, match=r"content.text: has 10,002 links"):
        messages.rewrite(content=text, track_text=True)


def test_recipient_with_too_many_links_does_not_fail_the_others(messages: MessageHarness) -> None:
    recipients = [
        {"delivery": f"d{count}", "data": {"block": "<a href=https://e.com/>" * count}}
        for count in (1, MAX_LINKS + 1, 2)
    ]
    response = messages.rewrite(
        content={"html": "<p>{{ block }}</p>"}, liquid=True, recipients=recipients
    )
    assert [each["delivery"] for each in response["deliveries"]] == ["d1", "d2"]
    assert response["failed"] == [
        {
            "delivery": "d10001",
            "field": "content.html",
            "reason": "has 10,001 links; at most 10,000 are allowed",
        }
    ]

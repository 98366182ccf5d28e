"""Destinations, parameters and tags that are too long: reported, and never an error to retry."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.message_harness import MessageHarness, decode_links
from waypost.errors import InvalidRequest
from waypost.ids import derive_campaign_id
from waypost.redirect.service import redirect_response
from waypost.rewrite import url_parameters
from waypost.rewrite.liquid import runtime
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.rewrite.schemas import MAX_RECIPIENT_NAME_BYTES
from waypost.tokens.codec import build_person_parameter
from waypost.urls import MAX_DESTINATION_LENGTH, MAX_LOCATION_LENGTH

LONG_PARAMETERS = {f"p{n:02}": "x" * 990 for n in range(50)}
"""Parameters that an earlier version accepted."""


def build_url(length: int) -> str:
    return "https://e.com/".ljust(length, "a")


def test_longest_destination_with_the_longest_person_fits_a_response():
    person = build_person_parameter("\u00e9" * (MAX_RECIPIENT_NAME_BYTES // 2))
    longest = MAX_DESTINATION_LENGTH + len(f"?{person}")
    assert longest <= MAX_LOCATION_LENGTH
    headers = redirect_response("x" * MAX_LOCATION_LENGTH)["headers"]
    assert sum(len(name) + len(value) + 4 for name, value in headers.items()) < 10_240 - 1_024


def test_longest_href_is_tracked_and_a_longer_one_stays_with_the_reason(messages: MessageHarness):
    source = "".join(f'<a href="{build_url(length)}">' for length in (5_000, 5_001))
    response = messages.rewrite(content={"html": source})
    assert [(link["tracked"], link["reason"]) for link in response["links"]] == [
        (True, None),
        (False, "is longer than 5,000 characters"),
    ]
    assert build_url(5_001) in str(response["deliveries"])
    assert response["failed"] == []


def test_href_with_a_long_source_in_its_template_stays_untracked(messages: MessageHarness):
    """Reports and the table store the source: it is the identity of the link."""
    source = f'<a href="https://e.com/{{% if x == "{"y" * 500_000}" %}}a{{% endif %}}">'
    response = messages.rewrite(content={"html": source}, liquid=True)
    assert [link["reason"] for link in response["links"]] == ["is longer than 5,000 characters"]
    assert messages.campaigns.list_links(derive_campaign_id("acme", "sale")) == []
    assert len(response["deliveries"]) == 1


@pytest.mark.parametrize("track", [True, False])
@pytest.mark.parametrize("form", ["html", "mime"])
def test_tag_of_more_than_255_characters_is_refused_with_its_size(
    messages: MessageHarness, form: str, track: bool
):
    def rewrite(length: int) -> None:
        html = f'<a data-cio-tag="{"T" * length}" href="https://e.com/">'
        content = html if form == "html" else f"Content-Type: text/html\n\n{html}"
        messages.rewrite(content={form: content}, track=track)

    rewrite(255)
    with pytest.raises(InvalidRequest) as caught:
        rewrite(256)
    (problem,) = caught.value.problems
    assert problem.field == f"content.{form}"
    assert problem.reason == (
        f"has a data-cio-tag of more than 255 characters (256: {'T' * 40!r}…)"
    )


def test_tag_that_is_too_long_for_one_recipient_fails_only_this_one(messages: MessageHarness):
    response = messages.rewrite(
        content={"html": '<a data-cio-tag="{{ x }}" href="https://e.com/">'},
        liquid=True,
        recipients=[
            {"delivery": "d1", "data": {"x": "T" * 256}},
            {"delivery": "d2", "data": {"x": "T" * 255}},
        ],
    )
    assert [each["delivery"] for each in response["deliveries"]] == ["d2"]
    (failure,) = response["failed"]
    assert (failure["delivery"], failure["field"]) == ("d1", "content.html")
    assert "more than 255 characters (256" in failure["reason"]


def test_link_that_parameters_make_too_long_is_tracked_without_them(messages: MessageHarness):
    messages.save_settings(url_params={"a": "x" * 997}, cio_id=True)
    urls = [build_url(length) for length in (4_000, 4_001)]
    source = (
        "".join(f'<a href="{url}">' for url in urls) + f'<a class="untracked" href="{urls[1]}">'
    )
    response = messages.rewrite(content={"html": source})
    assert decode_links(str(response["deliveries"][0]["content"]["html"])) == (
        f'<a href="[{urls[0]}?_cio_id=p1&a={"x" * 997}]">'
        f'<a href="[{urls[1]}?_cio_id=p1]"><a class="untracked" href="{urls[1]}">'
    )
    assert response["links"][1]["destination"] == urls[1] + "?_cio_id=p1"
    assert response["links"][1]["round_trip"] is True
    assert response["warnings"][0] == (
        "links without parameters, which would make them longer than 5,000 characters (1); "
        "the first is link 2"
    )


def test_parameters_of_an_earlier_version_that_fit_no_url_are_not_added(messages: MessageHarness):
    messages.save_settings(url_params=LONG_PARAMETERS)
    response = messages.rewrite(content={"html": '<a href="https://e.com/">'})
    assert response["links"][0]["destination"] == "https://e.com/"
    assert len(response["warnings"]) == 1


def test_parameters_too_long_for_one_recipient_are_added_for_the_others(messages: MessageHarness):
    messages.save_settings(url_params={"a": "{{ x }}"})
    recipients = [{"delivery": f"d{length}", "data": {"x": "b" * length}} for length in (6_000, 3)]
    response = messages.rewrite(
        content={"html": '<a href="https://e.com/">'}, recipients=recipients
    )
    sent = [decode_links(str(each["content"]["html"])) for each in response["deliveries"]]
    assert sent == ['<a href="[https://e.com/]">', '<a href="[https://e.com/?a=bbb]">']
    assert response["warnings"] == [
        (
            "links without parameters, which would make them longer than 5,000 characters (1); "
            "the first is link 1"
        )
    ]


def test_parameters_are_rendered_and_encoded_once_for_each_recipient(
    messages: MessageHarness, monkeypatch: pytest.MonkeyPatch
):
    rendered: list[str] = []
    encoded: list[str] = []

    def render(template: Any, data: Any, field: str, budget: WorkBudget) -> str:
        rendered.append(field)
        return original_render(template, data, field, budget)

    def encode(text: str, safe: str = "") -> str:
        encoded.append(text)
        return quote_plus(text, safe=safe)

    original_render = runtime.render_liquid
    monkeypatch.setattr(runtime, "render_liquid", render)
    monkeypatch.setattr(url_parameters, "quote_plus", encode)
    messages.save_settings(url_params={"a": "{{ x }}", "b": "fixed"})
    source = "".join(f'<a href="https://e.com/?key{n}=1">' for n in range(20))
    recipients = [{"delivery": f"d{n}", "data": {"x": n}} for n in range(3)]
    response = messages.rewrite(content={"html": source}, recipients=recipients)
    assert len(response["deliveries"]) == 3
    assert rendered == ["url_params.a"] * 3
    assert len(encoded) == 3 * 4  # two names and two values

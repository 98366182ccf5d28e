"""Test the main path over HTTP: rewrite a message, click its links, read the report."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from local.stack import EmbeddedStack
from tests.e2e.conftest import write_template_without_ledger
from tests.e2e.sender import URLS, Sender


def test_links_redirect_to_exactly_the_urls_of_the_message(sender):
    (links,) = sender.send("ada")
    for link, url in zip(links, URLS, strict=True):
        answer = sender.click(link)
        assert (answer.status, answer.headers["location"]) == (302, url)
        assert "no-store" in answer.headers["cache-control"]


def test_tracked_links_have_the_base_url_of_the_stack(sender):
    (links,) = sender.send("ada")
    assert all(link.startswith(f"{sender.stack.url}/e/c/") for link in links)


def test_report_equals_the_clicks(sender):
    ada, ben, _ = sender.send("ada", "ben", "cleo")
    for link in (ada[0], ada[0], ada[1], ben[0]):
        assert sender.click(link).status == 302
    report = sender.load_report()
    assert (report["deliveries"], report["clicked"]) == (3, 2)
    assert (report["clicks"]["total"], report["clicks"]["unique"]) == (4, 2)
    figures = [(link["url"], link["total"], link["unique"]) for link in report["links"]]
    assert figures[:2] == [(URLS[0], 3, 2), (URLS[1], 1, 1)]


def test_click_is_counted_once_when_cloudfront_retries_it(sender):
    ((link, *_),) = sender.send("ada")
    for _ in range(3):
        assert sender.click(link, x_amz_cf_id=f"attempt-of-{sender.campaign}").status == 302
    assert sender.load_report()["clicks"]["total"] == 1


def test_direct_api_call_cannot_forge_cloudfront_headers(sender):
    ((link, *_),) = sender.send("ada")
    forged = {
        "host": "trackingapi.execute-api.us-east-1.amazonaws.com",
        "x_amz_cf_id": "the-same-every-time",
        "x_waypost_time": "1",
        "cloudfront_viewer_address": "198.51.100.7:443",
        "cloudfront_viewer_country": "AT",
    }
    for _ in range(2):
        assert sender.click(link, **forged).headers["location"] == URLS[0]
    assert sender.load_report()["clicks"]["total"] == 2


def test_head_requests_and_prefetches_redirect_and_are_not_counted(sender):
    ((link, *_),) = sender.send("ada")
    assert sender.click(link, "HEAD").status == 302
    assert sender.click(link, sec_purpose="prefetch").status == 302
    assert sender.click(link).status == 302
    assert sender.load_report()["clicks"]["total"] == 1


@pytest.mark.parametrize("forge", [lambda p: p[:-4] + "AAAA", lambda p: p[:-9], lambda p: p + "A"])
def test_forged_link_is_answered_with_404(sender, forge):
    ((link, *_),) = sender.send("ada")
    answer = sender.click(forge(link))
    assert answer.status == 404
    assert "location" not in answer.headers
    assert "no-store" in answer.headers["cache-control"]


def test_people_and_activity_reports_list_who_clicked_which_link(sender):
    ada, ben = sender.send("ada-of-activity", "ben-of-activity")
    sender.click(ada[0])
    sender.click(ada[1])
    sender.click(ben[0])
    first = sender.load_report()["links"][0]
    people = sender.call_api("GET", f"links/{first['link']}/people").json()["people"]
    assert {person["person"] for person in people} == {"ada-of-activity", "ben-of-activity"}
    clicks = sender.call_api("GET", "people/ada-of-activity/activity").json()["clicks"]
    assert [click["url"] for click in clicks] == [URLS[1], URLS[0]]
    assert clicks[0]["campaign"] == sender.campaign


def test_workspace_without_settings_can_rewrite(stack, http):
    answer = http(
        "POST",
        f"{stack.url}/v1/rewrite",
        body={
            "workspace": "without-settings",
            "campaign": "first",
            "kind": "transactional",
            "channel": "email",
            "from": "a@mail.example.com",
            "content": {"html": '<a href="https://example.com/">x</a>'},
            "recipients": [{"delivery": "d", "person": "p"}],
        },
    )
    assert answer.status == 200
    assert "/e/c/" in answer.json()["deliveries"][0]["content"]["html"]


def test_invalid_rewrite_request_is_answered_with_a_problem(stack, http):
    answer = http("POST", f"{stack.url}/v1/rewrite", body={"workspace": "e2e"})
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert b"campaign" in answer.body
    assert http("POST", f"{stack.url}/v1/rewrite", body=b"{").status == 400


def test_click_redirects_while_no_aws_service_responds(sender):
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).status == 302  # starts the process, which reads the keys
    with sender.stack.cloud.suspend():
        answer = sender.click(link)
    assert (answer.status, answer.headers["location"]) == (302, URLS[0])


@pytest.fixture(scope="module")
def degraded_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Run a stack with a closed origin lock whose redirect function has no clicks table."""
    template = write_template_without_ledger(tmp_path_factory.mktemp("degraded"))
    base = {"OriginLock": "closed", "DefaultBaseUrl": "https://e.example.com"}
    with EmbeddedStack(template, parameters=base) as running:
        yield running


def test_click_that_cannot_be_stored_is_queued_and_counted_later(degraded_stack, http):
    sender = Sender(degraded_stack, http, "queued")
    ((link, *_),) = sender.send("ada")
    assert link.startswith("https://e.example.com/e/c/")
    assert sender.click(link).headers["location"] == URLS[0]
    assert sender.click(link).status == 302
    assert sender.load_report()["clicks"]["total"] == 2


def test_closed_origin_lock_refuses_requests_that_bypass_cloudfront(degraded_stack, http):
    sender = Sender(degraded_stack, http, "locked")
    ((link, *_),) = sender.send("ada")
    assert sender.click(link).status == 302
    host = "trackingapi.execute-api.us-east-1.amazonaws.com"
    assert sender.click(link, host=host).status == 403
    assert sender.click(link, host=host, x_waypost_origin="guessed").status == 403


def test_click_appears_in_the_report_within_seconds(sender):
    ((link, *_),) = sender.send("ada")
    sender.click(link)
    deadline = time.monotonic() + 20
    total = 0
    while total != 1 and time.monotonic() < deadline:
        time.sleep(0.1)
        total = sender.call_api("GET", f"campaigns/{sender.campaign}").json()["clicks"]["total"]
    assert total == 1

"""API routes for settings, share links and tracking domains."""

import json
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from tests.lambda_handlers import build_api_event
from tests.workspace_harness import PAGES_URL, build_link_definition
from waypost.reports.share_links import ShareScope

SETTINGS = "/v1/workspaces/{workspace}/settings"
SHARES = "POST /v1/workspaces/{workspace}/shares"
DOMAINS = "/v1/workspaces/{workspace}/domains"


def test_a_new_workspace_has_default_settings(api):
    status, settings = api(f"GET {SETTINGS}")
    assert (status, settings["cio_id"], settings["retention_days"]) == (200, True, None)


def test_put_changes_only_the_given_settings(api):
    api(f"PUT {SETTINGS}", body={"cio_id": False, "url_params": {"utm_source": "mail"}})
    api(f"PUT {SETTINGS}", body={"retention_days": 30})
    _, settings = api(f"GET {SETTINGS}")
    changed = settings["cio_id"], settings["url_params"], settings["retention_days"]
    assert changed == (False, {"utm_source": "mail"}, 30)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"shorten": {"sms": "yes"}}, "shorten.sms"),
        ({"schemes": ["ok", "javascript"]}, "schemes[1]"),
        ("{", "body"),
        ("", "body"),
        ("[]", "body"),
        ("null", "body"),
    ],
)
def test_an_invalid_put_changes_nothing(api, body, field):
    before = api(f"GET {SETTINGS}")
    status, problem = api(f"PUT {SETTINGS}", body=body)
    assert (status, problem["errors"][0]["field"]) == (400, field)
    assert api(f"GET {SETTINGS}") == before


def test_a_body_with_a_form_content_type_is_read_as_json(handler):
    event = build_api_event(f"PUT {SETTINGS}", {"workspace": "acme"}, body={"cio_id": False})
    event["headers"]["content-type"] = "application/x-www-form-urlencoded"
    assert json.loads(handler(event)["body"])["cio_id"] is False


def test_a_body_that_is_not_utf8_is_refused(handler):
    event = build_api_event(f"PUT {SETTINGS}", {"workspace": "acme"}, body="/w==")
    event["isBase64Encoded"] = True
    answer = handler(event)
    assert (answer["statusCode"], b"body" in answer["body"].encode()) == (400, True)


def test_a_share_link_has_the_requested_scope_and_expiry(api, workspace):
    workspace.register_campaign("spring", [build_link_definition("https://example.com")])
    status, share = api(SHARES, body={"campaign": "spring", "hours": 2, "people": True})
    assert (status, share["expires"]) == (201, "2026-11-22T11:00:00.000Z")
    assert share["url"].startswith(f"{PAGES_URL}/reports/open/")
    opened = workspace.create_share_signer().verify_token(
        urlsplit(share["url"]).path.rpartition("/")[2]
    )
    assert opened.scope == ShareScope("acme", "spring", people=True)
    assert opened.expires == workspace.now + timedelta(hours=2)


def test_a_share_link_hides_people_by_default(api, workspace):
    share = api(SHARES, body={})[1]
    opened = workspace.create_share_signer().verify_token(
        urlsplit(share["url"]).path.rpartition("/")[2]
    )
    assert opened.scope == ShareScope("acme", None, people=False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"campaign": "unknown"}, 404),
        ({"hours": 0}, 400),
        ({"hours": 10_000}, 400),
        ({"hours": "2"}, 400),
        ({"people": 1}, 400),
        ({"workspace": "other"}, 400),
    ],
)
def test_invalid_share_requests_are_refused(api, body, status):
    assert api(SHARES, body=body)[0] == status


def test_a_tracking_domain_is_added_changed_and_removed(api):
    status, added = api(f"POST {DOMAINS}", body={"host": "links.acme.example.com"})
    assert (status, added["host"]) == (201, "links.acme.example.com")
    host = added["host"]
    assert [d["host"] for d in api(f"GET {DOMAINS}")[1]["domains"]] == [host]
    status, changed = api(f"POST {DOMAINS}/{{host}}", body={"reverted": True}, host=host)
    assert (status, changed["use"]) == (200, "reverted")
    assert api(f"DELETE {DOMAINS}/{{host}}", host=host)[1]["use"] == "removed"
    assert api(f"GET {DOMAINS}/{{host}}", host=host)[0] == 200
    assert api(f"GET {DOMAINS}/{{host}}", host="other.example.com")[0] == 404
    assert api(f"POST {DOMAINS}", body={"host": "no host"})[0] == 400

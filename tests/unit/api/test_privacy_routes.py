"""API routes for opt-outs and erasure."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from functools import partial
from itertools import count

import pytest

from tests.lambda_handlers import build_api_event
from tests.workspace_harness import build_link_definition
from waypost.ids import derive_campaign_id
from waypost.privacy.erasure import IN_FLIGHT_WINDOW

PERSON = "/v1/workspaces/{workspace}/people/{person}"
OPT_OUT = f"{PERSON}/opt-out"
CAMPAIGN = "GET /v1/workspaces/{workspace}/campaigns/{campaign}"
ERIKA = "erika@example.com"
SEARCHED = "listed campaigns and clicks in the ledger"


@pytest.fixture
def link(workspace):
    """A link with two clicks of erika and one of ben."""
    (link,) = workspace.register_campaign(
        "spring", [build_link_definition("https://example.com/a")]
    )
    for id_, person, after in (("1", ERIKA, 0), ("2", ERIKA, 60), ("3", "ben", 120)):
        workspace.record_click(link, id_, person=person, after=after)
    return link


def test_an_opt_out_is_stored_and_removed(api):
    assert api(f"GET {OPT_OUT}", person=ERIKA) == (200, {"opted_out": False, "since": None})
    opted_out = (200, {"opted_out": True, "since": "2026-11-22T09:00:00.000Z"})
    for _ in range(2):
        assert api(f"PUT {OPT_OUT}", person=ERIKA) == opted_out
    assert api(f"GET {OPT_OUT}", person=ERIKA) == opted_out
    assert api(f"GET {OPT_OUT}", person="ben")[1]["opted_out"] is False
    assert api(f"GET {OPT_OUT}", person=ERIKA, workspace="other")[1]["opted_out"] is False
    for _ in range(2):
        assert api(f"DELETE {OPT_OUT}", person=ERIKA) == (200, {"opted_out": False, "since": None})
    assert api(f"GET {OPT_OUT}", person=ERIKA)[1]["opted_out"] is False


def test_clicks_after_an_opt_out_are_counted_without_the_person(api, workspace, link):
    api(f"PUT {OPT_OUT}", person="carla")
    workspace.record_click(link, "4", person="carla")
    _, people = api("GET /v1/workspaces/{workspace}/links/{link}/people", link=link)
    assert sorted(str(each["person"]) for each in people["people"]) == ["None", "ben", ERIKA]


def test_erasure_removes_the_person_and_changes_no_figure(api, workspace, link):
    before = api(CAMPAIGN, campaign="spring")
    answer = {"clicks": 2, "campaigns": 1, "links": 0, "searched": SEARCHED}
    erased = {"done": False, "again_in": 90, **answer}
    assert api(f"DELETE {PERSON}", person=ERIKA) == (202, erased)
    assert api(CAMPAIGN, campaign="spring") == before
    assert api(f"GET {PERSON}/activity", person=ERIKA)[0] == 404
    assert api(f"GET {PERSON}/activity", person="ben")[0] == 200
    assert api(f"GET {OPT_OUT}", person=ERIKA)[1]["opted_out"] is True
    workspace.now += IN_FLIGHT_WINDOW
    again = api(f"DELETE {PERSON}", person=ERIKA)
    done = {"done": True, "again_in": 0, **answer, "clicks": 0, "campaigns": 0}
    assert again == (200, done)


def test_erasing_an_unknown_person_succeeds(api, workspace):
    assert api(f"DELETE {PERSON}", person="nobody")[0] == 202
    workspace.now += IN_FLIGHT_WINDOW
    assert api(f"DELETE {PERSON}", person="nobody")[1]["done"] is True


def test_an_erasure_that_runs_out_of_time_requests_a_retry(handler, workspace, link):
    event = build_api_event(f"DELETE {PERSON}", {"workspace": "acme", "person": ERIKA})
    statuses, waits = [], []
    # the clock advances by this at each reading; an erasure has 15 seconds
    for seconds in (10, 10, 5, 0, 0):
        workspace.monotonic = partial(next, count(step=seconds))
        answer = handler(event)
        statuses.append(answer["statusCode"])
        assert json.loads(answer["body"])["done"] is (statuses[-1] == 200)
        waits.append(answer["headers"].get("retry-after"))
        workspace.now += timedelta(seconds=int(waits[-1] or 0))
    assert statuses == [202, 202, 202, 202, 200]
    assert waits == ["1", "1", "1", "87", None]
    assert ERIKA not in str(
        list(workspace.clicks.scan_by_campaign(derive_campaign_id("acme", "spring")))
    )


def test_audit_log_contains_the_caller_and_no_person(handler, workspace, link, caplog):
    arn = "arn:aws:sts::123456789012:assumed-role/support/desk"
    for route in (f"PUT {OPT_OUT}", f"DELETE {OPT_OUT}", f"DELETE {PERSON}", f"DELETE {PERSON}"):
        event = build_api_event(route, {"workspace": "acme", "person": ERIKA})
        event["requestContext"]["authorizer"] = {"iam": {"userArn": arn}}
        handler(event)
        workspace.now += IN_FLIGHT_WINDOW
    audit = [record for record in caplog.records if record.name == "waypost-audit"]
    assert [record.getMessage() for record in audit] == [
        "person opted out",
        "person opted in",
        "person erased in part",
        "person erased",
    ]
    assert {(record.caller, record.api_request) for record in audit} == {(arn, "1")}
    assert len({record.person_hash for record in audit}) == 1
    assert "erika" not in str([vars(record) for record in caplog.records])


def test_audit_log_has_no_caller_for_an_unsigned_request(handler, caplog):
    handler(build_api_event(f"PUT {OPT_OUT}", {"workspace": "acme", "person": ERIKA}))
    assert caplog.records[-1].caller is None


def test_audit_log_is_written_at_every_log_level():
    script = "from waypost.api.audit import AUDIT_LOG; print(AUDIT_LOG.isEnabledFor(20))"
    quiet = os.environ | {"POWERTOOLS_LOG_LEVEL": "WARNING"}
    run = subprocess.run([sys.executable, "-c", script], env=quiet, capture_output=True, check=True)
    assert run.stdout == b"True\n"


@pytest.mark.parametrize("person", ["a/b", "50 %", "%2F", "ü €", "..", "<script>", "opt-out"])
def test_a_person_may_have_any_name(api, workspace, person):
    (link,) = workspace.register_campaign("names", [build_link_definition("https://example.com")])
    workspace.record_click(link, "1", person=person)
    assert api(f"PUT {OPT_OUT}", person=person)[1]["opted_out"] is True
    erased = api(f"DELETE {PERSON}", person=person)[1]
    assert (erased["clicks"], erased["campaigns"]) == (1, 1)

"""Test that the sample events fit the triggers, and that the built functions process them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from local.stack import EmbeddedStack
from local.template import parse_yaml
from tests.packaging.sam_build import FUNCTIONS, ROOT, Build

EVENTS = ROOT / "events"
TRIGGERS = {
    f"{name}.{trigger}": event
    for name, function in FUNCTIONS.items()
    for trigger, event in function["Properties"].get("Events", {}).items()
}


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


SAMPLES = sorted(file.stem for file in EVENTS.glob("*.json"))
INVOKED = {"RewriteFunction.invoke"}  # pipelines invoke it without a trigger


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - INVOKED))
def test_sample_event_fits_its_trigger(name):
    event, properties = sample(name), TRIGGERS[name]["Properties"]
    match TRIGGERS[name]["Type"]:
        case "HttpApi":
            path = properties.get("Path")
            route = f"{properties['Method']} {path}" if path else "$default"
            assert event["routeKey"] == event["requestContext"]["routeKey"] == route
            named = re.findall(r"{(\w+)\+?}", path or "")
            assert set(event.get("pathParameters", {})) == set(named)
        case "DynamoDB":
            assert {record["eventName"] for record in event["Records"]} == {"INSERT"}
        case "SQS":
            assert {record["eventSource"] for record in event["Records"]} == {"aws:sqs"}
        case "Schedule" | "ScheduleV2":
            assert event == json.loads(properties["Input"])


def test_every_function_has_a_sample_event_per_trigger_type():
    kinds = {(name.split(".")[0], trigger["Type"]) for name, trigger in TRIGGERS.items()}
    sampled = {
        (name.split(".")[0], TRIGGERS[name]["Type"]) for name in SAMPLES if name not in INVOKED
    }
    assert sampled == kinds


@pytest.fixture(scope="module")
def stack(local_build: Build) -> Iterator[EmbeddedStack]:
    """Run the embedded stack with the built artefacts instead of the sources."""
    template = parse_yaml((local_build.folder / "template.yaml").read_text())
    layer = template["Resources"]["WaypostLayer"]["Properties"]
    layer["ContentUri"] += "/python"  # Lambda has /opt/python on the module path
    artefacts = local_build.folder / "artefacts.yaml"
    artefacts.write_text(yaml.safe_dump(template))
    with EmbeddedStack(artefacts) as started:
        yield started


@pytest.fixture
def answer(stack):
    def invoke(function: str, event: dict[str, Any]) -> Any:
        outcome = stack.invoke(function, event)
        assert outcome.error is None, outcome.payload.decode()
        return json.loads(outcome.payload)

    return invoke


def test_rewritten_link_redirects_and_its_click_is_counted(stack, answer):
    rewritten = answer("RewriteFunction", sample("RewriteFunction.invoke"))
    html = rewritten["deliveries"][0]["content"]["html"]
    token = re.search(r"/e/c/([\w-]+)/([\w-]+)", html)
    assert token is not None
    click = sample("RedirectFunction.Click")
    click["rawPath"] = click["requestContext"]["http"]["path"] = token[0]
    click["pathParameters"] = {"payload": token[1], "signature": token[2]}
    redirected = answer("RedirectFunction", click)
    assert redirected["statusCode"] == 302
    assert redirected["headers"]["location"].startswith("https://example.com/sale?ref=1&size=m")
    assert stack.wait_until_counted()
    report = json.loads(answer("ApiFunction", sample("ApiFunction.CampaignReport"))["body"])
    assert report["deliveries"] == 2
    assert report["clicks"]["total"] == 1


@pytest.mark.parametrize("trigger", ["Click", "ClickPreview", "Elsewhere"])
def test_unsigned_token_is_answered_with_404(answer, trigger):
    refused = answer("RedirectFunction", sample(f"RedirectFunction.{trigger}"))
    assert refused["statusCode"] == 404
    assert "location" not in refused["headers"]


def test_stream_records_and_queued_clicks_are_processed(answer):
    assert answer("TallyFunction", sample("TallyFunction.Clicks")) == {"batchItemFailures": []}
    assert answer("DrainFunction", sample("DrainFunction.Parked")) == {"batchItemFailures": []}


def test_management_routes_respond_to_sample_events(answer):
    rewritten = answer("RewriteFunction", sample("RewriteFunction.Rewrite"))
    assert rewritten["statusCode"] == 200
    for route in ("ChangeSettings", "ReadSettings", "CampaignReport"):
        assert answer("ApiFunction", sample(f"ApiFunction.{route}"))["statusCode"] == 200, route


def test_domains_are_verified_on_schedule_and_on_demand(answer):
    due = answer("VerifyDomainsFunction", sample("VerifyDomainsFunction.Due"))
    assert due == {"checked": 0, "left": 0, "failed": 0}
    unknown = answer("VerifyDomainsFunction", sample("VerifyDomainsFunction.VerifyNow"))
    assert unknown["statusCode"] == 404
    assert "links.acme.com" in json.loads(unknown["body"])["detail"]

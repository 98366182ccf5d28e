"""Test that each failure that the code or AWS reports has an alarm, with a runbook entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from tests.packaging.sam_build import FUNCTIONS, ROOT, list_resources
from waypost.observability import METRIC_NAMESPACE, Metric

ALARMS: Final = list_resources("AWS::CloudWatch::Alarm")
APIS: Final = list_resources("AWS::Serverless::HttpApi")
LAYER: Final = ROOT / "layers/waypost/waypost"

NOT_FAILURES: Final[Mapping[Metric, str]] = {
    Metric.CLICK_REDIRECTED: "the normal course",
    Metric.CLICK_REPEATED: "a retry of a request that was stored",
    Metric.OPEN_RECORDED: "the normal course",
    Metric.CLICKS_COUNTED: "the normal course",
    Metric.COUNT_CONFLICT: "repeated at once; clicks that stay uncounted are ClicksGivenBack",
    Metric.MESSAGES_REWRITTEN: "the normal course",
    Metric.LINKS_TRACKED: "the normal course",
    Metric.DOMAIN_CHANGED: "includes changes for the better; the others are DomainFellBack",
}
"""Metrics that need no alarm, with the reason. Every other metric reports a failure."""


def list_functions_with(variable: str) -> set[str]:
    """List the functions that have a variable whose name ends so."""
    return {
        name
        for name, function in FUNCTIONS.items()
        for each in function["Properties"].get("Environment", {}).get("Variables", {})
        if each.endswith(variable)
    }


LAYER_EMITTERS: Final[Mapping[str, set[str]]] = {
    "domains/cloudfront.py": {"VerifyDomainsFunction"},
    "domains/events.py": {"VerifyDomainsFunction"},  # the API publishes changes of use only
    "domains/verification.py": {"VerifyDomainsFunction"},
    "redirect/service.py": {"RedirectFunction"},
    "repositories/corrupt_items.py": list_functions_with("_TABLE"),
    "rewrite/message_archive.py": {"RewriteFunction"},
    "tokens/keyring.py": list_functions_with("KEYRING_SECRET"),
}
"""The functions that run each module of the layer that emits metrics."""


def list_emitted_metrics() -> Iterator[tuple[Metric, str]]:
    """List each metric with each function that emits it."""
    for name, function in FUNCTIONS.items():
        handler = (ROOT / function["Properties"]["CodeUri"] / "app.py").read_text("utf-8")
        yield from ((metric, name) for metric in find_metrics(handler))
    for path, names in LAYER_EMITTERS.items():
        for metric in find_metrics((LAYER / path).read_text("utf-8")):
            yield from ((metric, name) for name in names)


def find_metrics(source: str) -> list[Metric]:
    return [metric for metric in Metric if re.search(rf"\bMetric\.{metric.name}\b", source)]


def list_alarm_metrics(alarm: str) -> list[dict[str, Any]]:
    """List the metrics of an alarm: one, or those of its expression."""
    properties = ALARMS[alarm]["Properties"]
    return [
        each["MetricStat"]["Metric"]
        for each in properties.get("Metrics", [{"MetricStat": {"Metric": properties}}])
        if "MetricStat" in each
    ]


def list_watched() -> set[tuple[str, str, str]]:
    """List what alarms watch: namespace, metric and the resource in its only dimension."""
    return {
        (metric["Namespace"], metric["MetricName"], get_resource(metric["Dimensions"]))
        for alarm in ALARMS
        for metric in list_alarm_metrics(alarm)
    }


def get_resource(dimensions: list[dict[str, Any]]) -> str:
    (value,) = (dimension["Value"] for dimension in dimensions if dimension["Name"] != "Resource")
    return str(value.get("Ref") or value["Fn::GetAtt"][0])


WATCHED: Final = list_watched()
EMITTED: Final = {metric for metric, _ in list_emitted_metrics()}


def test_every_module_that_emits_a_metric_is_assigned_to_its_functions() -> None:
    emitting = {
        str(file.relative_to(LAYER))
        for file in LAYER.rglob("*.py")
        if find_metrics(file.read_text("utf-8"))
    }
    assert emitting == set(LAYER_EMITTERS)


@pytest.mark.parametrize("metric", [each for each in Metric if each not in NOT_FAILURES])
def test_failure_metric_has_an_alarm_for_every_function_that_emits_it(metric: Metric) -> None:
    functions = {function for emitted, function in list_emitted_metrics() if emitted == metric}
    assert functions, "no function emits it"
    unwatched = {name for name in functions if (METRIC_NAMESPACE, metric, name) not in WATCHED}
    assert not unwatched


@pytest.mark.parametrize("function", FUNCTIONS)
def test_errors_of_every_function_have_an_alarm(function: str) -> None:
    assert ("AWS/Lambda", "Errors", function) in WATCHED


@pytest.mark.parametrize("api", APIS)
def test_server_errors_of_every_api_have_an_alarm(api: str) -> None:
    assert ("AWS/ApiGateway", "5xx", api) in WATCHED


def test_every_dead_letter_queue_has_an_alarm() -> None:
    queues = list_resources("AWS::SQS::Queue")
    dead_letters = {
        queue["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for queue in queues.values()
        if "RedrivePolicy" in queue["Properties"]
    }
    assert dead_letters
    for queue in dead_letters:
        assert ("AWS/SQS", "ApproximateNumberOfMessagesVisible", queue) in WATCHED


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_over_several_functions_adds_their_metrics(alarm: str) -> None:
    metrics = ALARMS[alarm]["Properties"].get("Metrics", [])
    for each in metrics:
        if each.get("ReturnData", True) and "SUM" in each["Expression"]:
            assert each["Expression"] == "SUM(METRICS())"
            assert len({str(metric) for metric in list_alarm_metrics(alarm)}) == len(metrics) - 1


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_metric_is_emitted_by_code_or_by_its_service(alarm: str) -> None:
    assert list_alarm_metrics(alarm)
    for properties in list_alarm_metrics(alarm):
        if properties["Namespace"] != METRIC_NAMESPACE:
            assert properties["Namespace"].startswith("AWS/")
            continue
        metric = Metric(properties["MetricName"])
        assert metric in EMITTED, "no code emits it"
        assert [dimension["Name"] for dimension in properties["Dimensions"]] == ["function"]


def test_requests_refused_by_the_tracking_api_trigger_an_alarm() -> None:
    properties = ALARMS["ClicksThrottledAlarm"]["Properties"]
    (told,) = [each for each in properties["Metrics"] if each.get("ReturnData", True)]
    assert told["Expression"] == "FILL(api, 0) - FILL(own, 0)"
    metrics = {each["Id"]: each["MetricStat"] for each in properties["Metrics"] if each != told}
    assert metrics["api"]["Metric"] == {
        "Namespace": "AWS/ApiGateway",
        "MetricName": "4xx",
        "Dimensions": [{"Name": "ApiId", "Value": {"Ref": "TrackingApi"}}],
    }
    assert metrics["own"]["Metric"]["MetricName"] == Metric.LINK_REFUSED
    for each in metrics.values():
        assert (each["Stat"], each["Period"]) == ("Sum", 60)
    assert 1 < properties["DatapointsToAlarm"] < properties["EvaluationPeriods"]


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_notifies_the_topic_and_stays_quiet_without_traffic(alarm: str) -> None:
    properties = ALARMS[alarm]["Properties"]
    assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert properties["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert properties["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("alarm", ALARMS)
def test_alarm_description_names_an_entry_of_the_runbook(alarm: str) -> None:
    text = ALARMS[alarm]["Properties"]["AlarmDescription"]
    (entry,) = re.findall(r"\(runbook, (.+)\)$", text)
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert entry.lower() in {heading.lower() for heading in headings}


def test_page_of_costs_states_the_number_of_alarms_and_of_their_metrics() -> None:
    page = " ".join((ROOT / "docs/deploy.md").read_text("utf-8").split())
    metrics = sum(len(list_alarm_metrics(alarm)) for alarm in ALARMS)
    assert f"its {len(ALARMS)} alarms ($0.10 for each of the {metrics} metrics" in page

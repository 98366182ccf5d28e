import io
import json

import pytest

from waypost.observability import METRIC_NAMESPACE, Metric, emit_metric


def emitted(**arguments):
    stream = io.StringIO()
    emit_metric(stream=stream, **arguments)
    (line,) = stream.getvalue().splitlines()
    return json.loads(line)


@pytest.fixture(autouse=True)
def function_name(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "waypost-us-redirect")


def test_metric_is_one_line_of_embedded_metric_format():
    line = emitted(metric=Metric.CLICK_PARKED, value=3)
    (metrics,) = line["_aws"]["CloudWatchMetrics"]
    assert metrics["Namespace"] == METRIC_NAMESPACE
    assert metrics["Metrics"] == [{"Name": "ClickParked", "Unit": "Count"}]
    assert line["ClickParked"] == 3
    assert isinstance(line["_aws"]["Timestamp"], int)


def test_metric_has_the_function_as_a_dimension():
    line = emitted(metric=Metric.CLICK_PARKED)
    assert line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["function"]]
    assert line["function"] == "waypost-us-redirect"


def test_metric_with_a_reason_is_also_counted_without_it():
    line = emitted(metric=Metric.TOKEN_REFUSED, reason="signature")
    dimensions = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert dimensions == [["function"], ["function", "reason"]]
    assert line["reason"] == "signature"


def test_every_dimension_has_a_value():
    line = emitted(metric=Metric.TOKEN_REFUSED, reason="version")
    for dimensions in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]:
        assert set(dimensions) <= set(line)

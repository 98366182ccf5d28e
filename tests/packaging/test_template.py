"""What template.yaml and samconfig.toml promise, and no linter knows to ask."""

import json
import re
import tomllib
from functools import cache
from typing import Any

import pytest

from tests.packaging.sam_build import (
    FUNCTIONS,
    RESOURCES,
    ROOT,
    TEMPLATE,
    list_resources,
    list_statements,
)
from waypost import observability

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())
ALARMS = list_resources("AWS::CloudWatch::Alarm")
TABLES = list_resources("AWS::DynamoDB::Table")
SOURCES = "\n".join(
    module.read_text()
    for folder in ("layers/waypost/waypost", "functions")
    for module in (ROOT / folder).rglob("*.py")
)


def events(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Every trigger of a kind: the function's logical id and the trigger's properties."""
    return [
        (name, event["Properties"])
        for name, function in FUNCTIONS.items()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == kind
    ]


@cache
def reference() -> dict[str, Any]:
    """IAM's service authorization reference, by service."""
    from cfnlint.data import AdditionalSpecs  # it takes a second, in each process of tests
    from cfnlint.helpers import load_resource

    found: dict[str, Any] = load_resource(AdditionalSpecs, "Policies.json")
    return found


def resource_types(action: str) -> list[str]:
    """What resources of IAM's service authorization reference an action is allowed on. None, and
    only a statement about ``*`` allows it.
    """
    service, _, name = action.partition(":")
    return list(reference()[service]["Actions"][name.lower()].get("Resources", []))


def parameters(environment: str) -> dict[str, str]:
    """What an environment of samconfig.toml sets."""
    given = CONFIG[environment]["deploy"]["parameters"]["parameter_overrides"]
    return dict(each.split("=", 1) for each in given)


# Who may do what


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_a_role_of_its_own_that_names_actions_and_resources(function):
    role = FUNCTIONS[function]["Properties"]["Role"]["Fn::GetAtt"][0]
    assert role == f"{function}Role"
    assert "ManagedPolicyArns" not in RESOURCES[role]["Properties"]
    for statement in list_statements(function):
        assert not [action for action in statement["Action"] if "*" in action], statement["Sid"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_permission_names_a_resource_where_iam_knows_one_and_else_all_of_them(function):
    for statement in list_statements(function):
        known = {action: resource_types(action) for action in statement["Action"]}
        assert len({bool(types) for types in known.values()}) == 1, (statement["Sid"], known)
        assert (statement["Resource"] == "*") is not any(known.values()), statement["Sid"]


@pytest.mark.parametrize(
    ("api", "function"), [("TrackingApi", "RedirectFunction"), ("PagesApi", "PagesFunction")]
)
def test_a_public_api_leads_to_one_function_alone(api, function):
    assert "Auth" not in RESOURCES[api]["Properties"]
    behind = {name for name, event in events("HttpApi") if event["ApiId"] == {"Ref": api}}
    assert behind == {function}


def test_every_other_route_wants_iam():
    auth = RESOURCES["ManagementApi"]["Properties"]["Auth"]
    assert auth == {"EnableIamAuthorizer": True, "DefaultAuthorizer": "AWS_IAM"}
    for name, event in events("HttpApi"):
        assert event["ApiId"]["Ref"] in {"TrackingApi", "PagesApi", "ManagementApi"}, name
        assert "Auth" not in event, name


def test_the_redirect_can_always_tell_requests_through_cloudfront_from_others():
    variables = FUNCTIONS["RedirectFunction"]["Properties"]["Environment"]["Variables"]
    secrets = variables["ORIGIN_SECRETS"]["Fn::Sub"]  # whatever OriginLock says
    assert "${OriginSecretA}" in secrets
    assert "${OriginSecretB}" in secrets
    assert variables["ORIGIN_LOCK"] == {"Ref": "OriginLock"}


def test_functions_have_no_addresses_past_the_apis():
    assert not [
        name for name, body in FUNCTIONS.items() if "FunctionUrlConfig" in body["Properties"]
    ]


def test_buckets_let_nobody_in():
    for name, bucket in list_resources("AWS::S3::Bucket").items():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, name


# Nobody takes what recipients need


LIMITS = {
    "RewriteFunction": ("LimitsRewriting", "RewriteConcurrency"),
    "TallyFunction": ("LimitsCounting", "TallyConcurrency"),
    "ApiFunction": ("LimitsManagement", "ManagementConcurrency"),
    "PagesFunction": ("LimitsManagement", "ManagementConcurrency"),
    "VerifyDomainsFunction": ("LimitsManagement", "ManagementConcurrency"),
}
ASKED_FOR = 1_000  # concurrent executions, in docs/deploy.md
KEPT_FREE = 100  # by Lambda, for functions without a reservation


@pytest.mark.parametrize("function", sorted(LIMITS))
def test_a_function_can_be_held_to_a_part_of_the_accounts_concurrency(function):
    condition, parameter = LIMITS[function]
    limit = FUNCTIONS[function]["Properties"]["ReservedConcurrentExecutions"]
    assert limit == {"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}
    off = {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, "0"]}]}
    assert TEMPLATE["Conditions"][condition] == off


def test_what_others_leave_of_the_concurrency_is_the_redirects():
    assert "ReservedConcurrentExecutions" not in FUNCTIONS["RedirectFunction"]["Properties"]
    assert set(FUNCTIONS) - set(LIMITS) == {"RedirectFunction", "DrainFunction"}
    ((drain, queue),) = events("SQS")
    assert drain == "DrainFunction"
    assert queue["ScalingConfig"]["MaximumConcurrency"] <= 5


@pytest.mark.parametrize("environment", ["us", "eu"])
def test_redirects_keep_more_than_half_of_the_concurrency_that_is_asked_for(environment):
    limits = [int(parameters(environment)[parameter]) for _, parameter in LIMITS.values()]
    assert min(limits) > 0
    assert ASKED_FOR - sum(limits) > max(KEPT_FREE, ASKED_FOR / 2)


def test_a_new_account_which_can_reserve_nothing_takes_the_stack():
    for _, parameter in LIMITS.values():
        assert TEMPLATE["Parameters"][parameter]["Default"] == 0
        assert parameter not in parameters("dev")


def test_rewriting_writes_nothing_into_the_table_that_clicks_go_to():
    for statement in list_statements("RewriteFunction"):
        assert "ClicksTable" not in json.dumps(statement["Resource"]), statement["Sid"]


def test_other_apis_leave_the_tracking_api_its_part_of_the_accounts_requests():
    quota = 10_000
    rates = {
        name: api["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"]
        for name, api in list_resources("AWS::Serverless::HttpApi").items()
    }
    assert rates.pop("TrackingApi") == {"Ref": "ClickRate"}
    for environment in ("dev", "us", "eu"):
        default = TEMPLATE["Parameters"]["ClickRate"]["Default"]
        clicks = int(parameters(environment).get("ClickRate", default))
        assert clicks + sum(rates.values()) <= quota


@pytest.mark.parametrize("api", list_resources("AWS::Serverless::HttpApi"))
def test_a_rate_of_a_route_is_of_one_that_there_is(api):
    """API Gateway refuses the stage otherwise; short links have a rate of their own."""
    keys = {
        f"{event['Method']} {event['Path']}"
        for _, event in events("HttpApi")
        if event["ApiId"] == {"Ref": api} and "Path" in event
    }
    rated = RESOURCES[api]["Properties"].get("RouteSettings", {}).keys()
    assert rated <= keys
    if api == "TrackingApi":
        assert rated == {key for key in keys if " /s/" in key} != set()


# What is kept


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_on_demand_recoverable_and_outlives_a_deleted_stack(table):
    properties = TABLES[table]["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsDev", False, True]}
    assert TABLES[table]["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize("table", ["ClicksTable", "CampaignsTable"])
def test_a_table_that_each_click_writes_to_can_be_warmed_before_a_mailing(table):
    warm = TABLES[table]["Properties"]["WarmThroughput"]
    assert warm == {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": {"Ref": "WarmWrites"}}


def test_the_keys_outlive_a_deleted_stack():
    assert RESOURCES["Keyring"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["Keyring"]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_to_a_group_of_its_own_that_forgets(function):
    group = FUNCTIONS[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    others = [body for name, body in FUNCTIONS.items() if name != function]
    assert group not in [o["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for o in others]


# The tally's event source


def test_the_tally_hears_of_new_clicks_gives_up_at_last_and_keeps_what_it_gave_up():
    ((function, source),) = events("DynamoDB")
    assert function == "TallyFunction"
    assert source["FilterCriteria"]["Filters"] == [{"Pattern": '{"eventName": ["INSERT"]}'}]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert source["MaximumRetryAttempts"] > 0
    assert source["DestinationConfig"]["OnFailure"]["Type"] == "S3"
    assert RESOURCES["ClicksTable"]["Properties"]["StreamSpecification"] == {
        "StreamViewType": "NEW_IMAGE"
    }


# Alarms


def looked_at(alarm: str) -> list[dict[str, Any]]:
    """The metrics of an alarm: one, or those that an expression reckons with."""
    properties = ALARMS[alarm]["Properties"]
    return [
        each["MetricStat"]["Metric"]
        for each in properties.get("Metrics", [{"MetricStat": {"Metric": properties}}])
        if "MetricStat" in each
    ]


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarms_metric_is_emitted_by_code_or_by_its_service(alarm):
    assert looked_at(alarm)
    for properties in looked_at(alarm):
        if properties["Namespace"] != observability.METRIC_NAMESPACE:
            assert properties["Namespace"].startswith("AWS/")
            continue
        metric = observability.Metric(properties["MetricName"])
        assert f"Metric.{metric.name}" in SOURCES, "no code emits it"
        assert [dimension["Name"] for dimension in properties["Dimensions"]] == ["function"]


def test_requests_that_the_tracking_api_refuses_itself_set_off_an_alarm():
    properties = ALARMS["ClicksThrottledAlarm"]["Properties"]
    (told,) = [each for each in properties["Metrics"] if each.get("ReturnData", True)]
    assert told["Expression"] == "FILL(api, 0) - FILL(own, 0)"
    metrics = {each["Id"]: each["MetricStat"] for each in properties["Metrics"] if each != told}
    assert metrics["api"]["Metric"] == {
        "Namespace": "AWS/ApiGateway",
        "MetricName": "4xx",
        "Dimensions": [{"Name": "ApiId", "Value": {"Ref": "TrackingApi"}}],
    }
    assert metrics["own"]["Metric"]["MetricName"] == observability.Metric.LINK_REFUSED
    for each in metrics.values():
        assert (each["Stat"], each["Period"]) == ("Sum", 60)
    assert 1 < properties["DatapointsToAlarm"] < properties["EvaluationPeriods"]


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarm_tells_somebody_and_is_quiet_without_traffic(alarm):
    properties = ALARMS[alarm]["Properties"]
    assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
    assert properties["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert properties["TreatMissingData"] == "notBreaching"


# Environments


@pytest.mark.parametrize("environment", ["dev", "us", "eu"])
def test_an_environment_sets_parameters_that_the_template_accepts(environment):
    given = parameters(environment)
    assert given["RegionLabel"] == environment
    for name, value in given.items():
        parameter = TEMPLATE["Parameters"][name]
        assert value in map(str, parameter.get("AllowedValues", [value]))
        assert re.search(parameter.get("AllowedPattern", ""), value)
        if parameter["Type"] == "Number":
            assert parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", 10**9)


def test_environments_share_neither_a_stack_nor_a_place_for_artefacts():
    deploys = [CONFIG[environment]["deploy"]["parameters"] for environment in ("dev", "us", "eu")]
    for setting in ("stack_name", "s3_prefix"):
        assert len({deploy[setting] for deploy in deploys}) == len(deploys)
    assert CONFIG["eu"]["deploy"]["parameters"]["region"].startswith("eu-")


@pytest.mark.parametrize(
    ("parameter", "stage"),
    [("ClickRate", "API Gateway"), ("WarmWrites", "clicks table"), ("WarmWrites", "counting")],
)
def test_a_parameter_takes_what_the_scale_page_asks_for_at_the_largest_peak(parameter, stage):
    page = (ROOT / "docs/scale.md").read_text().partition("## A billion clicks a day")[2]
    (needed,) = re.findall(rf"^\| {stage} \| ([\d,]+) ", page, re.MULTILINE)
    assert TEMPLATE["Parameters"][parameter]["MaxValue"] >= int(needed.replace(",", ""))


def test_stacks_of_a_region_share_no_name():
    named = [
        (resource, name)
        for resource, body in RESOURCES.items()
        for key, name in body["Properties"].items()
        if key in {"Name", "FunctionName", "LayerName", "LogGroupName", "DashboardName"}
    ]
    assert len(named) > 10
    for resource, name in named:
        assert "${AWS::StackName}" in name["Fn::Sub"], resource
    assert set(list_resources("AWS::Serverless::LayerVersion")) <= {
        resource for resource, _ in named
    }


@pytest.mark.parametrize("parameter", TEMPLATE["Parameters"])
def test_a_parameter_is_described_and_checked(parameter):
    body = TEMPLATE["Parameters"][parameter]
    assert body["Description"]
    assert "Default" in body
    checks = {"AllowedValues", "AllowedPattern", "MinValue"}
    assert checks & set(body), "accepts anything"


def test_the_dashboard_shows_metrics_that_are_emitted():
    body = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    namespace, shown = None, set()
    for widget in json.loads(body)["widgets"]:
        for metric in widget["properties"]["metrics"]:
            if isinstance(metric[0], dict):  # an expression
                continue
            if metric[0] not in {".", "..."}:
                namespace = metric[0]
            if namespace == observability.METRIC_NAMESPACE:
                shown.add(observability.Metric(metric[1]))
    assert shown
    for metric in shown:
        assert f"Metric.{metric.name}" in SOURCES, "no code emits it"


@pytest.mark.parametrize("alarm", ALARMS)
def test_an_alarms_text_leads_to_its_entry_in_the_runbook(alarm):
    text = ALARMS[alarm]["Properties"]["AlarmDescription"]
    (entry,) = re.findall(r"\(runbook, (.+)\)$", text)
    headings = re.findall(r"^## (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert entry.lower() in {heading.lower() for heading in headings}

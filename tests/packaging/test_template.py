"""Test the properties of template.yaml and samconfig.toml that no linter checks."""

import json
import re
from functools import cache
from typing import Any

import pytest

from tests.packaging.deploy_settings import (
    ACCOUNT_CONCURRENCY,
    CONCURRENCY_LIMITS,
    CONFIG,
    UNRESERVED_CONCURRENCY,
    read_parameters,
)
from tests.packaging.sam_build import (
    FUNCTIONS,
    RESOURCES,
    ROOT,
    TEMPLATE,
    list_resources,
    list_statements,
)
from waypost import observability

TABLES = list_resources("AWS::DynamoDB::Table")
SOURCES = "\n".join(
    module.read_text()
    for folder in ("layers/waypost/waypost", "functions")
    for module in (ROOT / folder).rglob("*.py")
)


def events(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """List the triggers of a type: the function's logical id and the trigger's properties."""
    return [
        (name, event["Properties"])
        for name, function in FUNCTIONS.items()
        for event in function["Properties"].get("Events", {}).values()
        if event["Type"] == kind
    ]


@cache
def reference() -> dict[str, Any]:
    """Load IAM's service authorization reference, by service."""
    from cfnlint.data import AdditionalSpecs  # imports for one second, in each xdist process
    from cfnlint.helpers import load_resource

    found: dict[str, Any] = load_resource(AdditionalSpecs, "Policies.json")
    return found


def resource_types(action: str) -> list[str]:
    """List the resource types of an action; without any, only ``*`` allows the action."""
    service, _, name = action.partition(":")
    return list(reference()[service]["Actions"][name.lower()].get("Resources", []))


# Permissions


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_has_its_own_role_without_wildcard_actions(function):
    role = FUNCTIONS[function]["Properties"]["Role"]["Fn::GetAtt"][0]
    assert role == f"{function}Role"
    assert "ManagedPolicyArns" not in RESOURCES[role]["Properties"]
    for statement in list_statements(function):
        assert not [action for action in statement["Action"] if "*" in action], statement["Sid"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_permission_names_resources_if_iam_supports_them(function):
    for statement in list_statements(function):
        known = {action: resource_types(action) for action in statement["Action"]}
        assert len({bool(types) for types in known.values()}) == 1, (statement["Sid"], known)
        assert (statement["Resource"] == "*") is not any(known.values()), statement["Sid"]


@pytest.mark.parametrize(
    ("api", "function"), [("TrackingApi", "RedirectFunction"), ("PagesApi", "PagesFunction")]
)
def test_public_api_invokes_only_its_function(api, function):
    assert "Auth" not in RESOURCES[api]["Properties"]
    behind = {name for name, event in events("HttpApi") if event["ApiId"] == {"Ref": api}}
    assert behind == {function}


def test_every_management_route_requires_iam():
    auth = RESOURCES["ManagementApi"]["Properties"]["Auth"]
    assert auth == {"EnableIamAuthorizer": True, "DefaultAuthorizer": "AWS_IAM"}
    for name, event in events("HttpApi"):
        assert event["ApiId"]["Ref"] in {"TrackingApi", "PagesApi", "ManagementApi"}, name
        assert "Auth" not in event, name


def test_redirect_always_knows_the_origin_secrets():
    variables = FUNCTIONS["RedirectFunction"]["Properties"]["Environment"]["Variables"]
    secrets = variables["ORIGIN_SECRETS"]["Fn::Sub"]  # also if OriginLock is open
    assert "${OriginSecretA}" in secrets
    assert "${OriginSecretB}" in secrets
    assert variables["ORIGIN_LOCK"] == {"Ref": "OriginLock"}


def test_functions_have_no_function_urls():
    assert not [
        name for name, body in FUNCTIONS.items() if "FunctionUrlConfig" in body["Properties"]
    ]


def test_buckets_block_public_access():
    for name, bucket in list_resources("AWS::S3::Bucket").items():
        assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}, name


# Capacity for redirects


@pytest.mark.parametrize("function", sorted(CONCURRENCY_LIMITS))
def test_function_concurrency_can_be_limited(function):
    condition, parameter = CONCURRENCY_LIMITS[function]
    limit = FUNCTIONS[function]["Properties"]["ReservedConcurrentExecutions"]
    assert limit == {"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}
    off = {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, "0"]}]}
    assert TEMPLATE["Conditions"][condition] == off


def test_redirect_has_no_concurrency_limit():
    assert "ReservedConcurrentExecutions" not in FUNCTIONS["RedirectFunction"]["Properties"]
    assert set(FUNCTIONS) - set(CONCURRENCY_LIMITS) == {"RedirectFunction", "DrainFunction"}
    ((drain, queue),) = events("SQS")
    assert drain == "DrainFunction"
    assert queue["ScalingConfig"]["MaximumConcurrency"] <= 5


@pytest.mark.parametrize("environment", ["us", "eu"])
def test_redirects_keep_more_than_half_of_the_requested_concurrency(environment):
    limits = [
        int(read_parameters(environment)[parameter]) for _, parameter in CONCURRENCY_LIMITS.values()
    ]
    assert min(limits) > 0
    assert ACCOUNT_CONCURRENCY - sum(limits) > max(UNRESERVED_CONCURRENCY, ACCOUNT_CONCURRENCY / 2)


def test_concurrency_limits_are_off_by_default_and_in_dev():
    for _, parameter in CONCURRENCY_LIMITS.values():
        assert TEMPLATE["Parameters"][parameter]["Default"] == 0
        assert parameter not in read_parameters("dev")


def test_rewrite_function_has_no_permission_on_the_clicks_table():
    for statement in list_statements("RewriteFunction"):
        assert "ClicksTable" not in json.dumps(statement["Resource"]), statement["Sid"]


def test_api_rate_limits_fit_into_the_account_quota():
    quota = 10_000
    rates = {
        name: api["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"]
        for name, api in list_resources("AWS::Serverless::HttpApi").items()
    }
    assert rates.pop("TrackingApi") == {"Ref": "ClickRate"}
    for environment in ("dev", "us", "eu"):
        default = TEMPLATE["Parameters"]["ClickRate"]["Default"]
        clicks = int(read_parameters(environment).get("ClickRate", default))
        assert clicks + sum(rates.values()) <= quota


@pytest.mark.parametrize("api", list_resources("AWS::Serverless::HttpApi"))
def test_route_with_a_rate_limit_exists(api):
    """API Gateway refuses a rate for an unknown route. Short links have their own rate."""
    keys = {
        f"{event['Method']} {event['Path']}"
        for _, event in events("HttpApi")
        if event["ApiId"] == {"Ref": api} and "Path" in event
    }
    rated = RESOURCES[api]["Properties"].get("RouteSettings", {}).keys()
    assert rated <= keys
    if api == "TrackingApi":
        assert rated == {key for key in keys if " /s/" in key} != set()


# Retention


@pytest.mark.parametrize("table", TABLES)
def test_table_is_on_demand_recoverable_and_retained_after_stack_deletion(table):
    properties = TABLES[table]["Properties"]
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["DeletionProtectionEnabled"] == {"Fn::If": ["IsDev", False, True]}
    assert TABLES[table]["DeletionPolicy"] == "RetainExceptOnCreate"


@pytest.mark.parametrize("table", ["ClicksTable", "CampaignsTable"])
def test_table_written_by_clicks_has_configurable_warm_throughput(table):
    warm = TABLES[table]["Properties"]["WarmThroughput"]
    assert warm == {
        "ReadUnitsPerSecond": {"Ref": "WarmReads"},
        "WriteUnitsPerSecond": {"Ref": "WarmWrites"},
    }


@pytest.mark.parametrize(("parameter", "new_table"), [("WarmReads", 12_000), ("WarmWrites", 4_000)])
def test_warm_throughput_is_at_least_that_of_a_new_table(parameter, new_table):
    """DynamoDB refuses a lower value, which would fail every deploy."""
    body = TEMPLATE["Parameters"][parameter]
    assert (body["MinValue"], body["Default"]) == (new_table, new_table)
    assert "fails the deploy" in body["Description"]


def test_access_log_lies_where_the_account_needs_no_entry_in_a_resource_policy():
    logs = {
        api["Properties"]["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0]
        for api in list_resources("AWS::Serverless::HttpApi").values()
        if "AccessLogSettings" in api["Properties"]
    }
    assert logs
    for name in logs:
        assert RESOURCES[name]["Properties"]["LogGroupName"]["Fn::Sub"].startswith(
            "/aws/vendedlogs/${AWS::StackName}/"
        )


def test_keyring_is_retained_after_stack_deletion():
    assert RESOURCES["Keyring"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["Keyring"]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_has_its_own_log_group_with_retention(function):
    group = FUNCTIONS[function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
    assert RESOURCES[group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    others = [body for name, body in FUNCTIONS.items() if name != function]
    assert group not in [o["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for o in others]


# The tally's event source


def test_tally_receives_inserts_with_limited_retries_and_stores_failed_batches():
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


# Environments


@pytest.mark.parametrize("environment", ["dev", "us", "eu"])
def test_environment_sets_only_parameters_that_the_template_accepts(environment):
    given = read_parameters(environment)
    assert given["RegionLabel"] == environment
    for name, value in given.items():
        parameter = TEMPLATE["Parameters"][name]
        assert value in map(str, parameter.get("AllowedValues", [value]))
        assert re.search(parameter.get("AllowedPattern", ""), value)
        if parameter["Type"] == "Number":
            assert parameter.get("MinValue", 0) <= int(value) <= parameter.get("MaxValue", 10**9)


def test_environments_share_neither_stack_name_nor_artefact_prefix():
    deploys = [CONFIG[environment]["deploy"]["parameters"] for environment in ("dev", "us", "eu")]
    for setting in ("stack_name", "s3_prefix"):
        assert len({deploy[setting] for deploy in deploys}) == len(deploys)
    assert CONFIG["eu"]["deploy"]["parameters"]["region"].startswith("eu-")


@pytest.mark.parametrize(
    ("parameter", "stage"),
    [("ClickRate", "API Gateway"), ("WarmWrites", "clicks table"), ("WarmWrites", "counting")],
)
def test_parameter_accepts_the_largest_peak_of_the_scale_page(parameter, stage):
    page = (ROOT / "docs/scale.md").read_text().partition("## A billion clicks a day")[2]
    (needed,) = re.findall(rf"^\| {stage} \| ([\d,]+) ", page, re.MULTILINE)
    assert TEMPLATE["Parameters"][parameter]["MaxValue"] >= int(needed.replace(",", ""))


def test_resource_names_contain_the_stack_name():
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
def test_parameter_has_a_description_and_a_constraint(parameter):
    body = TEMPLATE["Parameters"][parameter]
    assert body["Description"]
    assert "Default" in body
    checks = {"AllowedValues", "AllowedPattern", "MinValue"}
    assert checks & set(body), "accepts anything"


def test_dashboard_shows_only_emitted_metrics():
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

"""Compare docs/deploy.md with the template and the benchmarks."""

import json
import re

import pytest

from bench.pricing import price_tenants
from local.iam_policies import parse_policy
from local.required_permissions import RequiredPermission
from tests.packaging.deploy_settings import (
    ACCOUNT_CONCURRENCY,
    CONCURRENCY_LIMITS,
    UNRESERVED_CONCURRENCY,
    read_parameters,
)
from tests.packaging.sam_build import FUNCTIONS, ROOT, TEMPLATE

PAGE = (ROOT / "docs/deploy.md").read_text()
BENCHMARKS = (ROOT / "docs/benchmarks.md").read_text()


def section(name: str) -> str:
    (text,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(text)


def memory(function: str) -> int:
    shared: int = TEMPLATE["Globals"]["Function"]["MemorySize"]
    return int(FUNCTIONS[function]["Properties"].get("MemorySize", shared))


def rows_of_memory() -> dict[str, tuple[int, int]]:
    """Read the table of memory: measured peak and configured size, by function."""
    rows = re.findall(r"^\| (\w+) \|[^|]*\| (\d+) \| ([\d,]+) \|", section("Memory"), re.MULTILINE)
    peaks: dict[str, tuple[int, int]] = {}
    for function, peak, has in rows:
        most = max(int(peak), peaks.get(function, (0, 0))[0])
        peaks[function] = most, int(has.replace(",", ""))
    return peaks


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_memory_matches_the_page_and_is_twice_its_peak(function):
    peak, has = rows_of_memory()[function]
    assert memory(function) == has
    assert has >= 2 * peak


def can_call(caller: str, route: str) -> bool:
    """Evaluate the permissions that the page gives to a caller, for a route of the API."""
    (row,) = [
        line
        for line in section("Permissions of callers").splitlines()
        if line.startswith(f"| {caller} |")
    ]
    api = "arn:aws:execute-api:REGION:ACCOUNT:MANAGEMENT_API/$default"
    resources = [text.replace("…", api) for text in re.findall(r"`((?:…|arn:).*?)`", row)]
    (statement,) = parse_policy(
        json.dumps(
            {
                "Statement": {
                    "Effect": "Allow",
                    "Action": "execute-api:Invoke",
                    "Resource": resources,
                }
            }
        )
    )
    method, _, path = route.partition(" ")
    return statement.applies_to(RequiredPermission("execute-api:Invoke", f"{api}/{method}{path}"))


def management_routes() -> list[str]:
    """List the routes with IAM for the workspace acme, as API Gateway names them in policies."""
    events = [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function["Properties"].get("Events", {}).values()
    ]
    routes = [
        f"{each['Method']} {each['Path']}" for each in events if "/v1/" in str(each.get("Path"))
    ]
    return [route.replace("{workspace}", "acme") for route in routes]


def test_permissions_on_the_deploy_page_permit_a_workspace_its_own_routes_only():
    routes = management_routes()
    assert len(routes) > 20
    for route in routes:
        is_own = "/v1/workspaces/acme/" in route
        assert can_call("programs of the workspace `acme`", route) == is_own, route
        assert not can_call("programs of the workspace `acme`", route.replace("/acme", "/globex"))
        assert can_call("an operator", route)
        assert can_call("a pipeline over HTTP", route) == (route == "POST /v1/rewrite")
        is_read = is_own and route.startswith("GET ")
        assert can_call("a reader of reports", route) == is_read, route


def test_costs_on_the_deploy_page_equal_the_benchmarks():
    table = section("Costs").partition("Storage")[0]
    amounts = set(re.findall(r"\$(\d+\.\d\d)", table))
    assert len(amounts) > 8
    found = section_of_benchmarks("Costs of clicks and messages")
    assert not {amount for amount in amounts if amount not in found}


def section_of_benchmarks(name: str) -> str:
    return BENCHMARKS.partition(f"## {name}\n")[2].partition("\n## ")[0]


def test_quota_on_the_deploy_page_fits_the_concurrency_limits():
    quotas = section("Quotas to raise first")
    assert f"--desired-value {ACCOUNT_CONCURRENCY}" in quotas
    reserved = sum(
        int(read_parameters("us")[parameter]) for _, parameter in CONCURRENCY_LIMITS.values()
    )
    assert f"reserve {reserved} " in quotas
    assert f"below {reserved + UNRESERVED_CONCURRENCY} in all" in quotas


def test_deploy_page_lists_every_output():
    assert set(re.findall(r"^\| `(\w+)` \|", section("The first deploy"), re.MULTILINE)) == set(
        TEMPLATE["Outputs"]
    )


def test_parameters_on_the_deploy_page_exist():
    for row in re.findall(r"^\| (`.+?`) \|", section("Parameters"), re.MULTILINE):
        for name in re.findall(r"`(\w+)`", row):
            assert name in TEMPLATE["Parameters"], name


def test_page_states_the_price_of_tenants_as_computed():
    rows = re.findall(
        r"^\| (?:up to |11 to )?([\d,]+) \| \$([\d,]+) \|$", section("Costs"), re.MULTILINE
    )
    stated = {int(count.replace(",", "")): int(price.replace(",", "")) for count, price in rows}
    assert stated == {count: price_tenants(count) for count in (10, 200, 1_000, 10_000)}
    assert price_tenants(11) == price_tenants(200)

"""Compare docs/deploy.md with the template and the benchmarks."""

import re

import pytest

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

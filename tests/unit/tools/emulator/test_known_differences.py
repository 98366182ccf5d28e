"""Test the comparison of a journey with the known differences."""

from __future__ import annotations

import pytest

from tools.emulator.differences import KnownDifference, compare_results, load_differences
from tools.smoke import StepResult

KNOWN = KnownDifference("pages", "FAIL", "403 instead of 200", "no cookies")
OK = StepResult("click", "ok", "302")
FAILED = StepResult("pages", "FAIL", "StepFailed: the status: 403 instead of 200")


def test_listed_failure_is_no_problem() -> None:
    assert list(compare_results([OK, FAILED], [KNOWN])) == []


@pytest.mark.parametrize(
    "result",
    [
        StepResult("click", "FAIL", "StepFailed: 404 instead of 302"),
        StepResult("event", "skip", "the event bus is unknown"),
    ],
)
def test_unlisted_failure_or_skip_is_a_new_difference(result: StepResult) -> None:
    (line,) = compare_results([result, FAILED], [KNOWN])
    assert line == f"new difference: {result.step}: {result.text}"


def test_listed_step_that_fails_for_another_reason_is_a_new_difference() -> None:
    lines = list(compare_results([StepResult("pages", "FAIL", "500 instead of 200")], [KNOWN]))
    assert lines == [
        "new difference: pages: 500 instead of 200",
        "known difference did not occur: pages: 403 instead of 200",
    ]


@pytest.mark.parametrize("results", [[OK], [OK, StepResult("pages", "ok", "opened")]])
def test_listed_difference_that_does_not_occur_is_reported(results: list[StepResult]) -> None:
    assert len(list(compare_results(results, [KNOWN]))) == 1


def test_every_known_difference_has_a_reason() -> None:
    assert all(each.reason and each.text for each in load_differences())

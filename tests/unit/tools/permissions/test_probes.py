"""Test that gaps of the table of probes, and wrong decisions, are found."""

from __future__ import annotations

from typing import Any

import pytest

from tools.permissions.probes import Probe, list_gaps, load_probes
from tools.permissions.role_policies import load_role_policies
from tools.permissions.simulation import Decision, compare_decisions

KEYS = {"dynamodb:LeadingKeys": ["R#1"]}
STATEMENT: dict[str, Any] = {"Sid": "Store", "Effect": "Allow", "Action": "dynamodb:PutItem"}
CONDITION = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": "C#*"}}
ALLOWED = Probe("Role", "dynamodb:PutItem", "table", is_allowed=True)
DENIED = Probe("Role", "dynamodb:Scan", "table", is_allowed=False)


def build_documents(**statement: Any) -> dict[str, dict[str, Any]]:
    return {"Role": {"Statement": [STATEMENT | statement]}}


@pytest.mark.heavy
def test_table_covers_every_role_action_and_condition_of_the_template() -> None:
    policies, probes = load_role_policies(), load_probes()
    assert len(policies.documents) == 7
    assert list(list_gaps(policies.documents, probes)) == []
    assert all(policies.resolve_arn(probe.resource) for probe in probes)


def test_complete_table_has_no_gap() -> None:
    assert list(list_gaps(build_documents(), [ALLOWED, DENIED])) == []


@pytest.mark.parametrize(
    ("probes", "statement", "gap"),
    [
        ([ALLOWED], {}, "Role: no denied probe"),
        ([DENIED], {}, "Role: dynamodb:PutItem: no allowed probe"),
        (
            [ALLOWED, DENIED],
            {"Action": ["dynamodb:PutItem", "dynamodb:GetItem"]},
            "Role: dynamodb:GetItem: no allowed probe",
        ),
        (
            [ALLOWED, DENIED],
            {"Condition": CONDITION},
            "Role: dynamodb:PutItem: no denied probe with another context",
        ),
        (
            [ALLOWED, DENIED, Probe("Other", "dynamodb:Scan", "table", is_allowed=False)],
            {},
            "Other: no role of the template",
        ),
    ],
)
def test_gap_is_named(probes: list[Probe], statement: dict[str, Any], gap: str) -> None:
    assert list(list_gaps(build_documents(**statement), probes)) == [gap]


def test_expected_decisions_are_no_problem() -> None:
    decisions = [Decision("Allowed", ["Store"]), Decision("ImplicitlyDenied")]
    assert list(compare_decisions(build_documents(), [ALLOWED, DENIED], decisions)) == []


@pytest.mark.parametrize(
    ("decisions", "line"),
    [
        (
            [Decision("Allowed", ["Store"]), Decision("Allowed", ["Store"])],
            "Role: dynamodb:Scan on table: Allowed instead of denied",
        ),
        (
            [Decision("Allowed", ["Store"]), Decision(error="invalid.action")],
            "Role: dynamodb:Scan on table: not a valid request (invalid.action)",
        ),
        (
            [Decision("Allowed", ["Other"]), Decision("ImplicitlyDenied")],
            "Role: Store: no allowed probe of dynamodb:PutItem",
        ),
    ],
)
def test_unexpected_decision_is_named(decisions: list[Decision], line: str) -> None:
    assert list(compare_decisions(build_documents(), [ALLOWED, DENIED], decisions)) == [line]


def test_line_of_a_probe_has_its_keys() -> None:
    probe = Probe("Role", "dynamodb:PutItem", "table", is_allowed=False, context=KEYS)
    assert str(probe) == f"Role: dynamodb:PutItem on table with {KEYS}"

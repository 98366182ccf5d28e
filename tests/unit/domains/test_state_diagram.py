"""The state diagram in docs/domains.md has the transitions of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from tests.unit.domains.builders import (
    BLOCKED,
    HTTP_ONLY,
    HTTPS,
    ISSUING,
    NOW,
    UNREACHABLE,
    WAITING,
    make_domain,
)
from waypost.domains.state_machine import apply_check_result
from waypost.models.tracking_domain import DomainStage

PAGE = Path(__file__).parents[3] / "docs" / "domains.md"
STAGES: tuple[DomainStage, ...] = get_args(DomainStage)
CHECK_RESULTS = (WAITING, ISSUING, HTTP_ONLY, HTTPS, BLOCKED, UNREACHABLE)


def parse_diagram() -> set[tuple[str, str, bool]]:
    """Parse the diagram's transitions, with True for those that take two checks."""
    diagram = PAGE.read_text().partition("```mermaid")[2].partition("```")[0]
    transitions = re.findall(r"^ +(\w+) --> (\w+): (.*)$", diagram, re.MULTILINE)
    return {(before, after, "two checks" in label) for before, after, label in transitions}


def compute_transitions() -> set[tuple[str, str, bool]]:
    """Compute the code's transitions from every stage, with and without an earlier failure."""
    transitions = set()
    for before in STAGES:
        for result in CHECK_RESULTS:
            first = apply_check_result(make_domain(stage=before), result, NOW).stage
            second = apply_check_result(make_domain(stage=before, failures=1), result, NOW).stage
            after = first if first != before else second
            transitions.add((before, after, first != after))
    return {
        (before, after, needs_two_checks)
        for before, after, needs_two_checks in transitions
        if before != after
    }


def test_diagram_of_domain_stages_has_exactly_the_transitions_of_the_code() -> None:
    assert parse_diagram() == compute_transitions()

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
LOOKS = (WAITING, ISSUING, HTTP_ONLY, HTTPS, BLOCKED, UNREACHABLE)


def drawn() -> set[tuple[str, str, bool]]:
    """The arrows of the picture, and whether they say that they take two checks."""
    picture = PAGE.read_text().partition("```mermaid")[2].partition("```")[0]
    arrows = re.findall(r"^ +(\w+) --> (\w+): (.*)$", picture, re.MULTILINE)
    return {(before, after, "two checks" in label) for before, after, label in arrows}


def possible() -> set[tuple[str, str, bool]]:
    """The arrows of the code: from every stage, with or without a failed check before."""
    arrows = set()
    for before in STAGES:
        for look in LOOKS:
            first = apply_check_result(make_domain(stage=before), look, NOW).stage
            second = apply_check_result(make_domain(stage=before, failures=1), look, NOW).stage
            after = first if first != before else second
            arrows.add((before, after, first != after))
    return {(before, after, twice) for before, after, twice in arrows if before != after}


def test_diagram_of_domain_stages_has_exactly_the_transitions_of_the_code() -> None:
    assert drawn() == possible()

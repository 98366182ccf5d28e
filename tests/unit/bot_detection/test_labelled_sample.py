"""Precision and recall of bot detection on a labelled sample (labelled_clicks.json).

Each case is one delivery: an agent, a network, and clicks as link and seconds after sending. The
sample is written by hand and includes hard cases that are classified wrongly. The test fails if
detection gets worse. docs/bot-clicks.md states the figures.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.click_factory import CAMPAIGN, SENT, make_click
from waypost.bot_detection.scoring import classify_click
from waypost.models.recipient import RecipientKey, RecipientRow
from waypost.tally.aggregation import apply_clicks

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("labelled_clicks.json").read_text()
)
DOCS = Path(__file__).parents[3] / "docs" / "bot-clicks.md"


@dataclass(frozen=True)
class Score:
    """Counts of classified cases; a bot is positive."""

    found: int
    false: int
    missed: int
    humans: int

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false)

    @property
    def recall(self) -> float:
        return self.found / (self.found + self.missed)


def is_machine(case: dict[str, Any]) -> bool:
    """Return True if all clicks of a case are classified as a bot's."""
    clicks = [
        make_click(
            f"click-{number}",
            name=name,
            agent=case["agent"],
            asn=case["asn"],
            time=SENT + timedelta(seconds=after),
        )
        for number, (name, after) in enumerate(case["clicks"])
    ]
    change = apply_clicks(
        RecipientRow(RecipientKey(CAMPAIGN, "p:p1")), {}, [classify_click(made) for made in clicks]
    )
    assert change is not None
    return all(mark.is_bot for mark in change.new_clicks)


def score() -> Score:
    judged = [(case["label"], is_machine(case)) for case in CASES]
    return Score(
        found=judged.count(("machine", True)),
        false=judged.count(("human", True)),
        missed=judged.count(("machine", False)),
        humans=judged.count(("human", False)),
    )


def test_labelled_sample_meets_the_minimum_precision_and_recall() -> None:
    result = score()
    assert result.precision >= 0.92
    assert result.recall >= 0.90


def test_labelled_sample_has_hard_cases_of_people_and_bots() -> None:
    result = score()
    assert result.false > 0
    assert result.missed > 0
    assert min(result.found, result.humans) >= 25


def test_documentation_states_the_figures_of_the_sample() -> None:
    result = score()
    figures = re.search(r"precision \*\*([\d.]+)\*\* and recall \*\*([\d.]+)\*\*", DOCS.read_text())
    assert figures is not None
    assert (f"{result.precision:.2f}", f"{result.recall:.2f}") == figures.groups()
    table = f"| {result.found} | {result.missed} | {result.false} | {result.humans} |"
    assert table in DOCS.read_text()

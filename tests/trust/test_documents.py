"""The threat model is complete, and the tests named in docs exist."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.trust.threat_model import THREAT_MODEL, EntryPoint, Threat, ThreatModel
from tools.docs.threats import find_model_errors, find_threat_errors, has_test

ROOT = Path(__file__).parents[2]
FAULTS_PAGE = (ROOT / "docs/faults.md").read_text("utf-8")
NAMED = set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", FAULTS_PAGE)).union(
    *(row.tests for entry in THREAT_MODEL.entry_points for row in entry.threats)
)

TRUST_TEST = "tests/trust/test_documents.py::test_threat_model_is_complete"
SMALL_MODEL = ThreatModel(
    assets={"keys": "the keys"},
    actors={"anyone": "sends any request"},
    entry_points=[
        EntryPoint(
            "Links",
            ["GET /e/*"],
            ["anyone"],
            ["keys"],
            [Threat("a token is forged", "it is signed", [TRUST_TEST])],
        )
    ],
)


def test_threat_model_is_complete() -> None:
    assert find_model_errors() == []


def change_links(**changes: object) -> ThreatModel:
    links = replace(SMALL_MODEL.entry_points[0], **changes)  # type: ignore[arg-type]
    return replace(SMALL_MODEL, entry_points=[links])


def change_threat(mitigation: str = "it is signed", *tests: str) -> ThreatModel:
    return change_links(threats=[Threat("a token is forged", mitigation, [*tests])])


@pytest.mark.parametrize(
    ("model", "error"),
    [
        (change_links(sources=["GET /s/*"]), "GET /e/c: 0 entry points; name it in one"),
        (change_links(sources=["GET /e/*", "* /e/c"]), "GET /e/c: 2 entry points; name it in one"),
        (change_links(sources=["GET /e/*", "PUT /"]), "PUT /: no such entry point in the code"),
        (change_links(threats=[]), "Links: no actor, asset or threat; add one"),
        (change_links(actors=["a stranger"]), "Links: unknown actor or asset (a stranger)"),
        (change_links(assets=[]), "keys: no entry point names it; remove it"),
        (change_threat("", TRUST_TEST), "Links: a token is forged: no mitigation or test; add one"),
        (change_threat(), "Links: a token is forged: no mitigation or test; add one"),
        (change_threat("x", "tests/gone.py::test_x"), "tests/gone.py::test_x: no such test"),
        (
            change_threat("x", "tests/trust/test_documents.py::change_threat"),
            "tests/trust/test_documents.py::change_threat: no such test",
        ),
        (change_threat(), f"{TRUST_TEST}: no threat names this test; add it to a row"),
    ],
)
def test_gap_in_the_threat_model_is_reported(model: ThreatModel, error: str) -> None:
    assert list(find_threat_errors(SMALL_MODEL, ["GET /e/c"], [TRUST_TEST])) == []
    assert error in find_threat_errors(model, ["GET /e/c"], [TRUST_TEST])


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_test_exists(name: str) -> None:
    assert has_test(name)


def test_every_promise_of_the_documentation_names_a_test() -> None:
    tables = [block for block in FAULTS_PAGE.split("\n\n") if block.startswith("|")]
    promises = [t for t in tables if t.partition("\n")[0].endswith("Which test shows it |")]
    assert len(promises) >= 7
    for _, _, *rows in (table.strip().splitlines() for table in promises):
        assert rows
        assert all("`tests/" in row for row in rows)

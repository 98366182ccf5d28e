"""docs/security.md promises tests, and the locks hashes: both are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text("utf-8"))
LOCKS = ("requirements.lock", "layers/waypost/requirements.txt", "tools/scanner.lock")


@pytest.mark.parametrize(("path", "test"), sorted(set(NAMED)))
def test_a_test_that_is_named_exists(path: str, test: str) -> None:
    functions = ast.parse((ROOT / path).read_text("utf-8")).body
    assert test in {f.name for f in functions if isinstance(f, ast.FunctionDef)}


def test_every_row_names_a_test() -> None:
    text = (ROOT / "docs/security.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    headings = [row for row in rows if row.endswith("Which test shows it |")]
    assert len(headings) == 3
    assert all("`tests/" in row for row in rows if row not in headings)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_by_hash(lock: str) -> None:
    lines = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    requirements = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement

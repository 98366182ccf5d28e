"""The tests named in docs/security.md and docs/faults.md exist, and the locks have hashes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("security", "faults")}
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", "".join(PAGES.values()))
LOCKS = ("requirements.lock", "layers/waypost/requirements.txt", "tools/scanner.lock")


@pytest.mark.parametrize(("path", "test"), sorted(set(NAMED)))
def test_named_test_exists(path: str, test: str) -> None:
    functions = ast.parse((ROOT / path).read_text("utf-8")).body
    assert test in {f.name for f in functions if isinstance(f, ast.FunctionDef)}


@pytest.mark.parametrize(("page", "least"), [("security", 3), ("faults", 7)])
def test_every_promise_of_the_documentation_names_a_test(page: str, least: int) -> None:
    tables = [block for block in PAGES[page].split("\n\n") if block.startswith("|")]
    promises = [t for t in tables if t.partition("\n")[0].endswith("Which test shows it |")]
    assert len(promises) >= least
    for _, _, *rows in (table.strip().splitlines() for table in promises):
        assert rows
        assert all("`tests/" in row for row in rows)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_by_hash(lock: str) -> None:
    lines = (ROOT / lock).read_text("utf-8").replace("\\\n", " ").splitlines()
    requirements = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert requirements
    for requirement in requirements:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement

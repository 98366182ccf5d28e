"""The table of promises in docs/faults.md: what the tests run, row by row."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

PROMISES_PAGE = Path(__file__).parents[2] / "docs/faults.md"
_TESTS = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


class PromiseRow(NamedTuple):
    """Calls of a function, and the tests of what is promised of them."""

    function: str
    calls: tuple[str, ...]
    tests: tuple[str, ...]


def load_promises() -> list[PromiseRow]:
    """All rows of the page, by the function under whose heading they stand."""
    found, function = [], ""
    for line in PROMISES_PAGE.read_text("utf-8").splitlines():
        if line.startswith("## "):
            function = line[3:].strip("` ")
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and (tests := _TESTS.findall(cells[2])):
            calls = tuple(re.findall(r"`([^`]+)`", cells[0]))
            found.append(PromiseRow(function, calls, tuple(name for _, name in tests)))
    return found


def list_calls(function: str, test: str) -> list[str]:
    """The calls of which a test shows the promise."""
    named = {
        c
        for row in load_promises()
        if row.function == function and test in row.tests
        for c in row.calls
    }
    return sorted(named)


def find_missing_promises(function: str, calls: Collection[str]) -> set[str]:
    """Calls that a function made and no row speaks of, and calls of rows that it never made."""
    return set(calls) ^ {
        call for row in load_promises() if row.function == function for call in row.calls
    }

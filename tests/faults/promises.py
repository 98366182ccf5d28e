"""Promises for the calls that may fail, read from promises.toml.

``make docs`` writes them into docs/faults.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Final, NamedTuple


class Promise(NamedTuple):
    """A promise for some calls of a function, and the tests that show it.

    ``calls`` are operations and the item that each is about; ``condition`` continues their list.
    """

    calls: list[str]
    promise: str
    tests: list[str]
    condition: str = ""


PROMISES: Final[dict[str, list[Promise]]] = {
    function: [Promise(**row) for row in rows]
    for function, rows in tomllib.loads(
        Path(__file__).with_name("promises.toml").read_text("utf-8")
    ).items()
}


def list_calls(function: str, test: str) -> list[str]:
    """List the calls of a function whose promise a test shows, by the test's name."""
    return sorted(
        call
        for promise in PROMISES[function]
        for call in promise.calls
        if any(name.endswith(f"::{test}") for name in promise.tests)
    )


def find_missing_promises(function: str, calls: Collection[str]) -> set[str]:
    """Return calls without a promise, and calls with a promise that the function never made."""
    return set(calls) ^ {call for promise in PROMISES[function] for call in promise.calls}

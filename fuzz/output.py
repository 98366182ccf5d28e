"""Describe the output of a fuzzer in one line."""

from __future__ import annotations

import os
import re
from typing import Final

_INPUTS: Final = re.compile(r"^Done (\d+) runs", re.MULTILINE)
_REASON: Final = re.compile(
    r"=== Uncaught Python exception: ===\n(.*)|SUMMARY: libFuzzer: (.*)|^(\w+(?:Error|Exit): .*)",
    re.MULTILINE,
)
_STORED_INPUT: Final = re.compile(r"Test unit written to (\S+)")
_MAX_REASON_LENGTH: Final = 300


def describe_output(output: str, *, holds: bool) -> str:
    """Describe the number of inputs of a target that holds, or the failure and its input."""
    inputs = _INPUTS.search(output)
    if holds and inputs:
        return f"{int(inputs[1]):,} inputs"
    reason, stored = _REASON.search(output), _STORED_INPUT.search(output)
    text = next(filter(None, reason.groups()), "") if reason else "ended without a reason"
    path = os.path.relpath(stored[1]) if stored else "no input"
    return f"FAILED: {text[:_MAX_REASON_LENGTH]} ({path})"

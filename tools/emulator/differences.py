"""Compare a journey with the differences that are known between the emulator and AWS."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.smoke import StepResult

DIFFERENCES_FILE: Final = Path(__file__).with_name("known_differences.toml")


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """A step that fails or is skipped, with a part of its text and the reason."""

    step: str
    label: str
    text: str
    reason: str

    def matches(self, result: StepResult) -> bool:
        """Return if a step has this difference."""
        return (self.step, self.label) == (result.step, result.label) and self.text in result.text


def load_differences(file: Path = DIFFERENCES_FILE) -> list[KnownDifference]:
    """Load the known differences."""
    return [KnownDifference(**row) for row in tomllib.loads(file.read_text("utf-8"))["difference"]]


def compare_results(
    results: Iterable[StepResult], known: Sequence[KnownDifference]
) -> Iterator[str]:
    """Yield a line for each new difference, and for each known one that did not occur."""
    pending = list(known)
    for result in results:
        found = [difference for difference in pending if difference.matches(result)]
        pending = [difference for difference in pending if difference not in found]
        if result.label != "ok" and not found:
            yield f"new difference: {result.step}: {result.text}"
    for difference in pending:
        yield f"known difference did not occur: {difference.step}: {difference.text}"

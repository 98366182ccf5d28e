"""What is told of links and failures, put together from all parts, and bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from waypost.client.collecting import Collected, Told
from waypost.rewrite.renderer import Mailing
from waypost.rewrite_files.input import BadLine
from waypost.sending.outcomes import Failure

LINKS_ROOM: Final = 1024 * 1024
"""Bytes of the links that a report has; a note of progress carries them along."""
MOST_FAILURES: Final = 100
"""Failures that a report has; the output has them all."""


class Report:
    """What was told so far."""

    def __init__(self, noted: Mapping[str, Any] | None = None) -> None:
        """``noted``: what ``note`` gave before."""
        self.failures: list[Failure | BadLine] = []
        self._collected = Collected(LINKS_ROOM)
        if noted:
            self.failures += noted["failures"]
            self._collected.add(noted["told"])
            self._collected.left_off = noted["left_off"]

    def add(self, mailing: Mailing, failures: Iterable[Failure | BadLine]) -> None:
        """Note what one part tells: of its own recipients, so that it is the same whoever made
        the parts before.
        """
        told: Told = {"links": mailing.links(), "warnings": mailing.warnings()}
        if segments := mailing.segments():
            told["segments"] = segments
        self._collected.add(told)
        self.failures = [*self.failures, *failures][:MOST_FAILURES]

    def note(self) -> dict[str, Any]:
        """All of it as JSON, to go on with later."""
        return {
            "failures": self.failures,
            "told": self._collected.told(),
            "left_off": self._collected.left_off,
        }

    def told(self) -> Told:
        """Links, warnings and segments as they are answered."""
        told = self._collected.told()
        if self._collected.left_off:
            many = f"there are more links than the {len(told['links']):,} that are listed"
            told["warnings"] = [*told["warnings"], many]
        return told

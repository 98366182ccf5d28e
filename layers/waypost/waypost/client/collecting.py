"""What several answers tell together: each link, each warning once, and the longest message.

The parts of a file's report are put together in the same way (``waypost.sending.files``).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from waypost.rewriting.report.entries import LinkEntry
    from waypost.rewriting.report.segment_counts import SegmentCounts

MOST_WARNINGS = 200

# The figures of a warning are one batch's; the number of a link is not.
_FIGURE = re.compile(r"(?<!link )(?<![\d,])\d[\d,]*")


class Told(TypedDict):
    """The part of an answer that is about the message, not about its recipients."""

    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SegmentCounts]


class Collected:
    """What was told so far. ``room`` bounds the links, in bytes of their JSON; ``left_off`` says
    whether some had none.
    """

    def __init__(self, room: int | None = None, *, left_off: bool = False) -> None:
        self.warnings: list[str] = []
        self.segments: SegmentCounts | None = None
        self.left_off = left_off
        self._room = room
        self._links: dict[tuple[object, ...], LinkEntry] = {}

    @property
    def links(self) -> list[LinkEntry]:
        """What became of each link, in the order of appearance."""
        return list(self._links.values())

    def add(self, told: Told) -> None:
        """Note what one answer says. Of a link, and of a kind of warning, the first to be told
        stays, unless a link turns out not to lead where it should.
        """
        known = set(map(_kind, self.warnings))
        new = [each for each in told["warnings"] if _kind(each) not in known]
        self.warnings = [*self.warnings, *new][:MOST_WARNINGS]
        for link in told["links"]:
            self._add(link)
        if (segments := told.get("segments")) is not None:
            self.segments = _longest(self.segments, segments)

    def told(self) -> Told:
        """All of it."""
        told: Told = {"links": self.links, "warnings": self.warnings}
        if self.segments is not None:
            told["segments"] = self.segments
        return told

    def _add(self, link: LinkEntry) -> None:
        what = (link["link"], link["url"], link["position"], link["tracked"], link["reason"])
        known = self._links.get(what)
        if known is not None:
            if known["destination"] is None or link["round_trip"] is False:
                self._links[what] = link
        elif self._has_room(link):
            self._links[what] = link

    def _has_room(self, link: LinkEntry) -> bool:
        if self._room is None:
            return True
        size = len(json.dumps(link))
        if size > self._room:
            self.left_off = True
            return False
        self._room -= size
        return True


def _kind(warning: str) -> str:
    return _FIGURE.sub("#", warning)


def _longest(one: SegmentCounts | None, other: SegmentCounts) -> SegmentCounts:
    if one is None:
        return other
    return {
        "encoding": "ucs-2" if "ucs-2" in {one["encoding"], other["encoding"]} else "gsm-7",
        "before": max(one["before"], other["before"]),
        "after": max(one["after"], other["after"]),
    }

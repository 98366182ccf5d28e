"""What all recipients' text messages take, as their author wrote them and as they are sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypedDict

from waypost.rewrite.sms_segments import Encoding, Segments, Span, kept_whole, segments

_URL: Final = re.compile(r"https?://\S+")


class SegmentCounts(TypedDict):
    """The most parts that any recipient's message takes, as it came and as it is sent."""

    encoding: Encoding
    before: int
    after: int


@dataclass(slots=True)
class SegmentReport:
    """What all recipients' messages take."""

    before: int = 0
    after: int = 0
    encoding: Encoding = "gsm-7"

    def add(self, before: str, after: str) -> Segments:
        """Note one message, as its author wrote it and as it is sent; how it is sent."""
        sent = kept_whole(after, urls(after))
        self.before = max(self.before, segments(before).count)
        self.after = max(self.after, sent.count)
        if sent.encoding == "ucs-2":
            self.encoding = "ucs-2"
        return sent

    def told(self) -> SegmentCounts | None:
        """The figures; None where there was no message."""
        if not self.after:
            return None
        return SegmentCounts(encoding=self.encoding, before=self.before, after=self.after)


def urls(text: str) -> list[Span]:
    """Where http(s) addresses stand in a text."""
    return [found.span() for found in _URL.finditer(text)]

"""Count the segments of a text message, and cut it outside of links.

A message in GSM's alphabet holds 160 septets, or 153 in each of several segments, whose header
takes the rest; a character of the extension table takes two septets. Any other character makes the
whole message UCS-2: 70 code units, or 67 per segment; a character beyond the basic plane takes two.
Characters of two units are never cut in half.

Source: 3GPP TS 23.038, 6.2.1 (alphabet and extension table), and TS 23.040, 9.2.3.24.1 (segments).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypedDict

SmsEncoding = Literal["gsm-7", "ucs-2"]
TextSpan = tuple[int, int]
"""The position of a link in a text: its first character, and the one after its last."""

GSM_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_GSM: Final = GSM_BASIC | GSM_EXTENSION

_SINGLE_SMS_UNITS: Final = {"gsm-7": 160, "ucs-2": 70}
_SMS_PART_UNITS: Final = {"gsm-7": 153, "ucs-2": 67}


@dataclass(frozen=True, slots=True)
class SmsSegments:
    """The segments of a text; ``cuts`` are the offsets at which all but the first begin."""

    encoding: SmsEncoding
    units: int
    cuts: tuple[int, ...]

    @property
    def count(self) -> int:
        """Segments that are sent and paid; an empty text takes one."""
        return len(self.cuts) + 1

    def find_cut_link(self, links: Sequence[TextSpan]) -> TextSpan | None:
        """Find the first link that a segment boundary cuts, or None."""
        return next(
            (
                link
                for link in links
                if bisect_right(self.cuts, link[0]) != bisect_left(self.cuts, link[1])
            ),
            None,
        )


def segment_text(text: str) -> SmsSegments:
    """Segment a text as an SMS gateway does: each segment is filled."""
    return segment_text_around_links(text, ())


def segment_text_around_links(text: str, links: Sequence[TextSpan]) -> SmsSegments:
    """Segment a text so that a segment never begins inside a link, but with it.

    A link that is longer than a segment is cut. ``links`` are sorted and do not overlap.
    """
    encoding = detect_sms_encoding(text)
    width = _gsm_width if encoding == "gsm-7" else _ucs_width
    widths = [width(character) for character in text]
    units = sum(widths)
    if units <= _SINGLE_SMS_UNITS[encoding]:
        return SmsSegments(encoding, units, ())
    return SmsSegments(encoding, units, tuple(_iter_cuts(widths, _SMS_PART_UNITS[encoding], links)))


def cut_text(text: str, cuts: Sequence[int]) -> list[str]:
    """Cut a text at these offsets."""
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def detect_sms_encoding(text: str) -> SmsEncoding:
    """Return GSM-7 if its alphabet has every character of the text, else UCS-2."""
    return "gsm-7" if _GSM.issuperset(text) else "ucs-2"


def find_non_gsm_characters(text: str) -> list[str]:
    """Find the characters that make a text UCS-2, each once, in order of appearance."""
    return list(dict.fromkeys(c for c in text if c not in _GSM))


def _iter_cuts(widths: Sequence[int], limit: int, links: Sequence[TextSpan]) -> Iterator[int]:
    begin = 0
    while (cut := _find_overflow(widths, begin, limit)) < len(widths):
        link = _find_enclosing_link(links, cut)
        begin = link if link is not None and link > begin else cut
        yield begin


def _find_enclosing_link(links: Sequence[TextSpan], position: int) -> int | None:
    """Find the start of the link around a position, or None."""
    nearest = bisect_left(links, (position, 0)) - 1
    return links[nearest][0] if nearest >= 0 and position < links[nearest][1] else None


def _find_overflow(widths: Sequence[int], begin: int, limit: int) -> int:
    """Find the first character that does not fit into a segment beginning at ``begin``."""
    for index in range(begin, len(widths)):
        limit -= widths[index]
        if limit < 0:
            return index
    return len(widths)


def _gsm_width(character: str) -> int:
    return 2 if character in GSM_EXTENSION else 1


def _ucs_width(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


_URL: Final = re.compile(r"https?://\S+")


class SmsSegmentCounts(TypedDict):
    """The most segments of any recipient's message, before and after tracking."""

    encoding: SmsEncoding
    before: int
    after: int


@dataclass(slots=True)
class SmsSegmentSummary:
    """The most segments of any message that was added."""

    before: int = 0
    after: int = 0
    encoding: SmsEncoding = "gsm-7"

    def add(self, before: str, after: str) -> SmsSegments:
        """Add a message before and after tracking; return its segments as sent."""
        sent = segment_text_around_links(after, _find_url_spans(after))
        self.before = max(self.before, segment_text(before).count)
        self.after = max(self.after, sent.count)
        if sent.encoding == "ucs-2":
            self.encoding = "ucs-2"
        return sent

    def get_counts(self) -> SmsSegmentCounts | None:
        """Return the counts; None if no message was added."""
        if not self.after:
            return None
        return SmsSegmentCounts(encoding=self.encoding, before=self.before, after=self.after)


def _find_url_spans(text: str) -> list[TextSpan]:
    return [match.span() for match in _URL.finditer(text)]

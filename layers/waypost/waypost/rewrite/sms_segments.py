"""How many parts a text message is sent and paid in, and whether a part begins inside a link.

A message whose characters all stand in GSM's own alphabet takes 160 septets alone, or 153 in each
of several parts, since a part then names its place; a character of the extension table takes two.
Any other character makes the whole message UCS-2: 70 code units alone, 67 in a part, two for a
character beyond the basic plane. Characters of two units are never cut in half.

Source: 3GPP TS 23.038, 6.2.1 (alphabet and extension table), and TS 23.040, 9.2.3.24.1 (parts).

What all recipients' text messages take, as their author wrote them and as they are sent.
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
"""Where a link stands in a text: its first character, and the one after its last."""

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
    """How a text is sent: ``cuts`` are the characters that parts after the first begin with."""

    encoding: SmsEncoding
    units: int
    cuts: tuple[int, ...]

    @property
    def count(self) -> int:
        """Parts that are sent and paid; an empty text takes one as well."""
        return len(self.cuts) + 1

    def find_cut_link(self, links: Sequence[TextSpan]) -> TextSpan | None:
        """The first of the links inside which a part begins, or None."""
        return next(
            (
                link
                for link in links
                if bisect_right(self.cuts, link[0]) != bisect_left(self.cuts, link[1])
            ),
            None,
        )


def segment_text(text: str) -> SmsSegments:
    """How a text is cut by whoever sends it, filling each part."""
    return segment_text_around_links(text, ())


def segment_text_around_links(text: str, links: Sequence[TextSpan]) -> SmsSegments:
    """How a text is cut where no part may begin inside a link: such a part begins with the link.

    A link that is longer than a part is cut all the same. ``links`` are in order and apart.
    """
    encoding = detect_sms_encoding(text)
    width = _gsm_width if encoding == "gsm-7" else _ucs_width
    widths = [width(character) for character in text]
    units = sum(widths)
    if units <= _SINGLE_SMS_UNITS[encoding]:
        return SmsSegments(encoding, units, ())
    return SmsSegments(encoding, units, tuple(_iter_cuts(widths, _SMS_PART_UNITS[encoding], links)))


def cut_text(text: str, cuts: Sequence[int]) -> list[str]:
    """The text in its parts."""
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def detect_sms_encoding(text: str) -> SmsEncoding:
    """GSM's own alphabet where every character stands in it."""
    return "gsm-7" if _GSM.issuperset(text) else "ucs-2"


def find_non_gsm_characters(text: str) -> list[str]:
    """The characters that make a text UCS-2, each once, in order of appearance."""
    return list(dict.fromkeys(c for c in text if c not in _GSM))


def _iter_cuts(widths: Sequence[int], limit: int, links: Sequence[TextSpan]) -> Iterator[int]:
    begin = 0
    while (cut := _find_overflow(widths, begin, limit)) < len(widths):
        link = _find_enclosing_link(links, cut)
        begin = link if link is not None and link > begin else cut
        yield begin


def _find_enclosing_link(links: Sequence[TextSpan], position: int) -> int | None:
    """Where the link begins that a place lies inside of, or None."""
    nearest = bisect_left(links, (position, 0)) - 1
    return links[nearest][0] if nearest >= 0 and position < links[nearest][1] else None


def _find_overflow(widths: Sequence[int], begin: int, limit: int) -> int:
    """The first character that no longer fits into a part that begins there."""
    for at in range(begin, len(widths)):
        limit -= widths[at]
        if limit < 0:
            return at
    return len(widths)


def _gsm_width(character: str) -> int:
    return 2 if character in GSM_EXTENSION else 1


def _ucs_width(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


_URL: Final = re.compile(r"https?://\S+")


class SmsSegmentCounts(TypedDict):
    """The most parts that any recipient's message takes, as it came and as it is sent."""

    encoding: SmsEncoding
    before: int
    after: int


@dataclass(slots=True)
class SmsSegmentSummary:
    """What all recipients' messages take."""

    before: int = 0
    after: int = 0
    encoding: SmsEncoding = "gsm-7"

    def add(self, before: str, after: str) -> SmsSegments:
        """Note one message, as its author wrote it and as it is sent; how it is sent."""
        sent = segment_text_around_links(after, find_url_spans(after))
        self.before = max(self.before, segment_text(before).count)
        self.after = max(self.after, sent.count)
        if sent.encoding == "ucs-2":
            self.encoding = "ucs-2"
        return sent

    def get_counts(self) -> SmsSegmentCounts | None:
        """The figures; None where there was no message."""
        if not self.after:
            return None
        return SmsSegmentCounts(encoding=self.encoding, before=self.before, after=self.after)


def find_url_spans(text: str) -> list[TextSpan]:
    """Where http(s) addresses stand in a text."""
    return [found.span() for found in _URL.finditer(text)]

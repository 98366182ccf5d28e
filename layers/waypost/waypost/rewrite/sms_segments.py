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

Encoding = Literal["gsm-7", "ucs-2"]
Span = tuple[int, int]
"""Where a link stands in a text: its first character, and the one after its last."""

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = frozenset("\f^{}\\[~]|€")
_GSM: Final = BASIC | EXTENSION

_ALONE: Final = {"gsm-7": 160, "ucs-2": 70}
_IN_PARTS: Final = {"gsm-7": 153, "ucs-2": 67}


@dataclass(frozen=True, slots=True)
class Segments:
    """How a text is sent: ``cuts`` are the characters that parts after the first begin with."""

    encoding: Encoding
    units: int
    cuts: tuple[int, ...]

    @property
    def count(self) -> int:
        """Parts that are sent and paid; an empty text takes one as well."""
        return len(self.cuts) + 1

    def cut_link(self, links: Sequence[Span]) -> Span | None:
        """The first of the links inside which a part begins, or None."""
        return next(
            (
                link
                for link in links
                if bisect_right(self.cuts, link[0]) != bisect_left(self.cuts, link[1])
            ),
            None,
        )


def segments(text: str) -> Segments:
    """How a text is cut by whoever sends it, filling each part."""
    return kept_whole(text, ())


def kept_whole(text: str, links: Sequence[Span]) -> Segments:
    """How a text is cut where no part may begin inside a link: such a part begins with the link.

    A link that is longer than a part is cut all the same. ``links`` are in order and apart.
    """
    encoding = encoding_of(text)
    width = _gsm_width if encoding == "gsm-7" else _ucs_width
    widths = [width(character) for character in text]
    units = sum(widths)
    if units <= _ALONE[encoding]:
        return Segments(encoding, units, ())
    return Segments(encoding, units, tuple(_cuts(widths, _IN_PARTS[encoding], links)))


def parts(text: str, cuts: Sequence[int]) -> list[str]:
    """The text in its parts."""
    edges = [0, *cuts, len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def encoding_of(text: str) -> Encoding:
    """GSM's own alphabet where every character stands in it."""
    return "gsm-7" if _GSM.issuperset(text) else "ucs-2"


def foreign(text: str) -> list[str]:
    """The characters that make a text UCS-2, each once, in order of appearance."""
    return list(dict.fromkeys(c for c in text if c not in _GSM))


def _cuts(widths: Sequence[int], room: int, links: Sequence[Span]) -> Iterator[int]:
    begin = 0
    while (cut := _full_at(widths, begin, room)) < len(widths):
        link = _inside(links, cut)
        begin = link if link is not None and link > begin else cut
        yield begin


def _inside(links: Sequence[Span], at: int) -> int | None:
    """Where the link begins that a place lies inside of, or None."""
    nearest = bisect_left(links, (at, 0)) - 1
    return links[nearest][0] if nearest >= 0 and at < links[nearest][1] else None


def _full_at(widths: Sequence[int], begin: int, room: int) -> int:
    """The first character that no longer fits into a part that begins there."""
    for at in range(begin, len(widths)):
        room -= widths[at]
        if room < 0:
            return at
    return len(widths)


def _gsm_width(character: str) -> int:
    return 2 if character in EXTENSION else 1


def _ucs_width(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


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

"""What a pipeline is told of every link before it sends: its fate, and why.

Destinations, lengths and round trips are those of one recipient, who stands for all (``sample``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict

from waypost.rewrite.compiler import PlannedText, links_of
from waypost.rewrite.link_writer import Codes
from waypost.rewriting.plan import Link
from waypost.rewriting.report.sample import Seen


class LinkEntry(TypedDict):
    """What becomes of a link. ``link`` is its code, None where it is not tracked. What follows
    ``reason`` is None for links that the recipient who stands for all has not got, and for those
    that stay as they are.
    """

    link: str | None
    url: str
    tag: str | None
    position: int
    tracked: bool
    reason: str | None
    destination: str | None
    round_trip: bool | None
    """Whether what would be signed reads back as the destination."""
    bytes_added: int | None


_What = tuple[str, bool, str | None]
"""A link by what reports tell apart: its identity, whether it is tracked, and why."""


class LinksSeen:
    """The links of all recipients' messages, each once, in order of appearance."""

    def __init__(self) -> None:
        self._links: dict[tuple[_What, int], Link] = {}
        self._recipients: Counter[str] = Counter()

    def add(self, texts: Iterable[PlannedText]) -> None:
        """Note one recipient's links; two of one identity in a message are two links."""
        counted: dict[_What, int] = {}
        for link in links_of(texts):
            what = (link.identity, link.verdict.tracked, link.verdict.reason)
            before = counted.get(what, 0)
            self._links.setdefault((what, before), link)
            counted[what] = before + 1
        self._recipients.update({identity for identity, _, _ in counted})

    def __iter__(self) -> Iterator[Link]:
        return iter(self._links.values())

    def one_offs(self) -> int:
        """How many tracked links without a tag only one recipient has."""
        tracked = {link.identity for link in self if link.verdict.tracked and not link.tag}
        return sum(self._recipients[identity] == 1 for identity in tracked)


def entry(link: Link, codes: Codes, seen: Mapping[int, Seen]) -> LinkEntry:
    """One line of the report."""
    verdict = link.verdict
    found = seen.get(link.position)
    found = found if found and found.identity == link.identity else None
    return LinkEntry(
        link=codes[link.identity] if verdict.tracked else None,
        url=link.url,
        tag=link.tag,
        position=link.position,
        tracked=verdict.tracked,
        reason=verdict.reason,
        destination=found.destination if found else None,
        round_trip=found.round_trip if found else None,
        bytes_added=found.bytes_added if found else None,
    )

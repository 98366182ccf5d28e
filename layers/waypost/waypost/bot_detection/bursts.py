"""What the clicks around a click tell about it.

A person reads, a scanner opens every link at once. Only clicks of the same delivery within
``WINDOW`` matter, and the answer depends on the set of clicks alone, never on the order in which
they arrived: so it can be given again when a late one is found, and ends the same.

Which deliveries were probably read by several people.

One person has a phone and a computer, at home and at work: two kinds of client and two networks
are ordinary. Three of each among the clicks judged human are not, so a forwarded message is told,
and its one "unique" recipient is not taken for one reader.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from waypost.bot_detection.scoring import Signal
from waypost.ids import is_opens
from waypost.models.recipient import Mark

WINDOW_MILLISECONDS: Final = 5_000
RUN_LINKS: Final = 3
BURST_LINKS: Final = 4

# Plain numbers: a flood is looked at click by click, and flags are slow to combine.
_RUN: Final = int(Signal.RUN_OF_LINKS)
_BURST: Final = int(Signal.BURST_OF_LINKS)
_HONEYPOT: Final = int(Signal.HONEYPOT)
_BESIDE: Final = int(Signal.BESIDE_HONEYPOT)


def company_signals(marks: Iterable[Mark]) -> dict[bytes, int]:
    """By id, what each click's neighbours tell; clicks without anything told are left out."""
    by_delivery: defaultdict[bytes, list[Mark]] = defaultdict(list)
    for mark in marks:
        if not is_opens(mark.link):  # images load by themselves, whoever reads
            by_delivery[mark.delivery].append(mark)
    found: defaultdict[bytes, int] = defaultdict(int)
    for of_delivery in by_delivery.values():
        of_delivery.sort(key=lambda mark: mark.time)
        _find_bursts(of_delivery, found)
        _find_beside_honeypot(of_delivery, found)
    return dict(found)


def _find_bursts(marks: Sequence[Mark], found: defaultdict[bytes, int]) -> None:
    """Mark every click that lies in some window with enough different links."""
    links: Counter[str] = Counter()
    start = marked = burst = 0
    for end, mark in enumerate(marks):
        links[mark.link] += 1
        while mark.time - marks[start].time > WINDOW_MILLISECONDS:
            _leave(links, marks[start])
            start += 1
        if len(links) >= RUN_LINKS:
            for inside in marks[max(start, marked) : end + 1]:
                found[inside.id] |= _RUN
            marked = end + 1
        if len(links) >= BURST_LINKS:
            for inside in marks[max(start, burst) : end + 1]:
                found[inside.id] |= _BURST
            burst = end + 1


def _leave(links: Counter[str], mark: Mark) -> None:
    links[mark.link] -= 1
    if not links[mark.link]:
        del links[mark.link]


def _find_beside_honeypot(marks: Sequence[Mark], found: defaultdict[bytes, int]) -> None:
    traps = [mark.time for mark in marks if mark.signals & _HONEYPOT]
    for mark in marks if traps else ():
        if any(abs(mark.time - trap) <= WINDOW_MILLISECONDS for trap in traps):
            found[mark.id] |= _BESIDE


CLIENTS: Final = 3
NETWORKS: Final = 3


def shared_deliveries(marks: Iterable[Mark]) -> frozenset[bytes]:
    """The deliveries that were opened from clearly different clients and networks."""
    clients: defaultdict[bytes, set[int]] = defaultdict(set)
    networks: defaultdict[bytes, set[int]] = defaultdict(set)
    for mark in marks:
        if not mark.machine:
            clients[mark.delivery].add(mark.client)
            networks[mark.delivery].add(mark.network)
    return frozenset(
        name
        for name, kinds in clients.items()
        if len(kinds) >= CLIENTS and len(networks[name]) >= NETWORKS
    )

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

from waypost.bot_detection.scoring import BotSignal
from waypost.ids import is_open_id
from waypost.models.recipient import CountedClick

BURST_WINDOW_MILLISECONDS: Final = 5_000
MIN_RUN_LINKS: Final = 3
MIN_BURST_LINKS: Final = 4

# Plain numbers: a flood is looked at click by click, and flags are slow to combine.
_RUN: Final = int(BotSignal.RUN_OF_LINKS)
_BURST: Final = int(BotSignal.BURST_OF_LINKS)
_HONEYPOT: Final = int(BotSignal.HONEYPOT)
_BESIDE_HONEYPOT: Final = int(BotSignal.BESIDE_HONEYPOT)


def find_burst_signals(clicks: Iterable[CountedClick]) -> dict[bytes, int]:
    """By id, what each click's neighbours tell; clicks without anything told are left out."""
    by_delivery: defaultdict[bytes, list[CountedClick]] = defaultdict(list)
    for mark in clicks:
        if not is_open_id(mark.link):  # images load by themselves, whoever reads
            by_delivery[mark.delivery].append(mark)
    found: defaultdict[bytes, int] = defaultdict(int)
    for of_delivery in by_delivery.values():
        of_delivery.sort(key=lambda mark: mark.time)
        _find_bursts(of_delivery, found)
        _find_clicks_near_honeypot(of_delivery, found)
    return dict(found)


def _find_bursts(clicks: Sequence[CountedClick], signals: defaultdict[bytes, int]) -> None:
    """Mark every click that lies in some window with enough different links."""
    links: Counter[str] = Counter()
    start = marked = burst = 0
    for end, mark in enumerate(clicks):
        links[mark.link] += 1
        while mark.time - clicks[start].time > BURST_WINDOW_MILLISECONDS:
            _remove_from_window(links, clicks[start])
            start += 1
        if len(links) >= MIN_RUN_LINKS:
            for inside in clicks[max(start, marked) : end + 1]:
                signals[inside.id] |= _RUN
            marked = end + 1
        if len(links) >= MIN_BURST_LINKS:
            for inside in clicks[max(start, burst) : end + 1]:
                signals[inside.id] |= _BURST
            burst = end + 1


def _remove_from_window(links: Counter[str], click: CountedClick) -> None:
    links[click.link] -= 1
    if not links[click.link]:
        del links[click.link]


def _find_clicks_near_honeypot(
    clicks: Sequence[CountedClick], signals: defaultdict[bytes, int]
) -> None:
    traps = [mark.time for mark in clicks if mark.signals & _HONEYPOT]
    for mark in clicks if traps else ():
        if any(abs(mark.time - trap) <= BURST_WINDOW_MILLISECONDS for trap in traps):
            signals[mark.id] |= _BESIDE_HONEYPOT


MIN_FORWARD_CLIENTS: Final = 3
MIN_FORWARD_NETWORKS: Final = 3


def detect_forwarding(clicks: Iterable[CountedClick]) -> frozenset[bytes]:
    """The deliveries that were opened from clearly different clients and networks."""
    clients: defaultdict[bytes, set[int]] = defaultdict(set)
    networks: defaultdict[bytes, set[int]] = defaultdict(set)
    for mark in clicks:
        if not mark.is_bot:
            clients[mark.delivery].add(mark.client)
            networks[mark.delivery].add(mark.network)
    return frozenset(
        name
        for name, kinds in clients.items()
        if len(kinds) >= MIN_FORWARD_CLIENTS and len(networks[name]) >= MIN_FORWARD_NETWORKS
    )

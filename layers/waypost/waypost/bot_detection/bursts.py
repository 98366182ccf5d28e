"""Compare the clicks of one delivery: bursts of clicks, and forwarded messages.

A person reads; a scanner opens every link at once. Only clicks of the same delivery within
``BURST_WINDOW_MILLISECONDS`` count. The result depends on the set of clicks alone, not on the order
in which they arrive, so a late click gives the same result as an early one.

A forwarded message has several readers. One person may have a phone and a computer, at home and at
work, so two kinds of client and two networks are ordinary. Three of each among the human clicks of
a delivery mean that several people read it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Final

from waypost.bot_detection.scoring import BotSignal
from waypost.ids import is_open_id
from waypost.models.recipient import CountedClick

BURST_WINDOW_MILLISECONDS: Final = 5_000
MIN_RUN_LINKS: Final = 3
MIN_BURST_LINKS: Final = 4
MIN_FORWARD_CLIENTS: Final = 3
MIN_FORWARD_NETWORKS: Final = 3

# Plain integers: operations on flags are slow, and a burst has thousands of clicks.
_RUN: Final = int(BotSignal.RUN_OF_LINKS)
_BURST: Final = int(BotSignal.BURST_OF_LINKS)
_HONEYPOT: Final = int(BotSignal.HONEYPOT)
_BESIDE_HONEYPOT: Final = int(BotSignal.BESIDE_HONEYPOT)


def find_burst_signals(clicks: Iterable[CountedClick]) -> dict[bytes, int]:
    """Return the signals that each click gets from its neighbours, by click id.

    Clicks without such a signal are left out.
    """
    by_delivery: defaultdict[bytes, list[CountedClick]] = defaultdict(list)
    for click in clicks:
        if not is_open_id(click.link):  # a client loads all images at once for any reader
            by_delivery[click.delivery].append(click)
    signals: defaultdict[bytes, int] = defaultdict(int)
    for delivery_clicks in by_delivery.values():
        delivery_clicks.sort(key=lambda click: click.time)
        _find_bursts(delivery_clicks, signals)
        _find_clicks_near_honeypot(delivery_clicks, signals)
    return dict(signals)


def _find_bursts(clicks: Sequence[CountedClick], signals: defaultdict[bytes, int]) -> None:
    """Add a signal to every click in a window with enough different links."""
    links: Counter[str] = Counter()
    start = run_end = burst_end = 0
    for end, click in enumerate(clicks):
        links[click.link] += 1
        while click.time - clicks[start].time > BURST_WINDOW_MILLISECONDS:
            _remove_from_window(links, clicks[start])
            start += 1
        if len(links) >= MIN_RUN_LINKS:
            for neighbour in clicks[max(start, run_end) : end + 1]:
                signals[neighbour.id] |= _RUN
            run_end = end + 1
        if len(links) >= MIN_BURST_LINKS:
            for neighbour in clicks[max(start, burst_end) : end + 1]:
                signals[neighbour.id] |= _BURST
            burst_end = end + 1


def _remove_from_window(links: Counter[str], click: CountedClick) -> None:
    links[click.link] -= 1
    if not links[click.link]:
        del links[click.link]


def _find_clicks_near_honeypot(
    clicks: Sequence[CountedClick], signals: defaultdict[bytes, int]
) -> None:
    """Add a signal to every click that is near one of the honeypot. ``clicks`` are in order."""
    honeypot_times = deque(click.time for click in clicks if click.signals & _HONEYPOT)
    for click in clicks:
        while honeypot_times and honeypot_times[0] < click.time - BURST_WINDOW_MILLISECONDS:
            honeypot_times.popleft()
        if honeypot_times and honeypot_times[0] <= click.time + BURST_WINDOW_MILLISECONDS:
            signals[click.id] |= _BESIDE_HONEYPOT


def detect_forwarding(clicks: Iterable[CountedClick]) -> frozenset[bytes]:
    """Return the deliveries with human clicks from many kinds of client and many networks."""
    clients: defaultdict[bytes, set[int]] = defaultdict(set)
    networks: defaultdict[bytes, set[int]] = defaultdict(set)
    for click in clicks:
        if not click.is_bot:
            clients[click.delivery].add(click.client)
            networks[click.delivery].add(click.network)
    return frozenset(
        delivery
        for delivery, delivery_clients in clients.items()
        if len(delivery_clients) >= MIN_FORWARD_CLIENTS
        and len(networks[delivery]) >= MIN_FORWARD_NETWORKS
    )

"""Which deliveries were probably read by several people.

One person has a phone and a computer, at home and at work: two kinds of client and two networks
are ordinary. Three of each among the clicks judged human are not, so a forwarded message is told,
and its one "unique" recipient is not taken for one reader.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from waypost.model.mark import Mark

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

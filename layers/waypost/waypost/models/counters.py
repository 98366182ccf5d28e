"""The figures of a campaign: what is counted, under which names, and what a batch adds to them.

A counter is an item of the campaign, moved by atomic ADD alone. Its sort key is ``N#`` and its
name, spread over shards where a campaign is hot (``waypost.repositories``); readers sum the shards.

    total               the campaign
    link#{link code}    one link
    hour#{2026-11-21T10}  one hour, UTC
    sent                deliveries rewritten; and as signed#{fingerprint} their links, by the key
                        that signed them
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from waypost.ids import LinkCode
from waypost.models.attributes import from_milliseconds

TOTAL: Final = "total"
SENT: Final = "sent"
_LINK: Final = "link#"
_HOUR: Final = "hour#"
MILLISECONDS_AN_HOUR: Final = 3_600_000

Figure: TypeAlias = Literal[
    "human",
    "machine",
    "people",
    "people_human",
    "deliveries",
    "deliveries_human",
    "shared",
    "opens_human",
    "opens_machine",
    "opened",
    "opened_human",
]


@dataclass(frozen=True, slots=True)
class Counts:
    """The figures of one counter; those that a counter does not keep stay 0.

    ``people`` and ``deliveries`` are those with a click of any kind, ``…_human`` those with a click
    judged human. ``shared`` are deliveries that several people probably read.

    ``opens_…`` count opens as ``human`` and ``machine`` count clicks. ``opened`` are deliveries
    with an open or a click of any kind, since whoever clicks has opened, images shown or not.
    """

    human: int = 0
    machine: int = 0
    people: int = 0
    people_human: int = 0
    deliveries: int = 0
    deliveries_human: int = 0
    shared: int = 0
    opens_human: int = 0
    opens_machine: int = 0
    opened: int = 0
    opened_human: int = 0

    @property
    def total(self) -> int:
        """All clicks, human and machine."""
        return self.human + self.machine

    @property
    def opens(self) -> int:
        """All opens, human and machine."""
        return self.opens_human + self.opens_machine

    def plus(self, figures: Mapping[str, int]) -> Self:
        """The counts with further figures added."""
        return type(self)(*(getattr(self, name) + figures.get(name, 0) for name in FIGURES))

    def changed(self) -> dict[str, int]:
        """The figures that are not 0, by name."""
        return {name: value for name in FIGURES if (value := getattr(self, name))}


FIGURES: Final = tuple(f.name for f in fields(Counts))


class Cell(NamedTuple):
    """One figure of one counter."""

    counter: str
    figure: Figure


Increments: TypeAlias = Counter[Cell]
"""What to add to which figure; negative where a click is labelled anew."""


def sent_figures(deliveries: int, signed: Mapping[str, int] | None) -> dict[str, int]:
    """What the counter of deliveries grows by. ``signed``: links by the fingerprint of the key."""
    links = {signed_figure(key): number for key, number in (signed or {}).items() if number}
    return {SENT: deliveries} | links


def signed_figure(fingerprint: str) -> str:
    """The figure of the links that a key signed."""
    return f"signed#{fingerprint}"


def link_counter(link: LinkCode) -> str:
    return f"{_LINK}{link}"


def hour_counter(time: int) -> str:
    """The counter of the hour, UTC, that a time in milliseconds lies in."""
    return _counter_of_hour(time // MILLISECONDS_AN_HOUR)


@lru_cache(maxsize=4_096)  # a campaign's clicks lie in few hours; naming one takes 3 µs
def _counter_of_hour(number: int) -> str:
    return f"{_HOUR}{from_milliseconds(number * MILLISECONDS_AN_HOUR):%Y-%m-%dT%H}"


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """All figures of a campaign. ``hours`` are named as ``2026-11-21T10``, UTC."""

    sent: int = 0
    total: Counts = Counts()
    links: Mapping[LinkCode, Counts] = field(default_factory=dict)
    hours: Mapping[str, Counts] = field(default_factory=dict)

    @classmethod
    def of(cls, counters: Iterable[tuple[str, Mapping[str, int]]]) -> Self:
        """Sum counters, each a name with its figures; a name comes once for each shard."""
        summed: dict[str, Counts] = {}
        sent = 0
        for name, figures in counters:
            if name == SENT:
                sent += figures.get(SENT, 0)
            else:
                summed[name] = summed.get(name, Counts()).plus(figures)
        return cls(
            sent=sent,
            total=summed.get(TOTAL, Counts()),
            links={LinkCode(n): c for n, c in _named(summed, _LINK)},
            hours=dict(_named(summed, _HOUR)),
        )

    def cells(self) -> Increments:
        """The figures as one mapping, to be compared with what a ledger gives."""
        counters = {TOTAL: self.total}
        counters |= {link_counter(link): counts for link, counts in self.links.items()}
        counters |= {f"{_HOUR}{hour}": counts for hour, counts in self.hours.items()}
        return Counter(
            {
                Cell(name, figure): value  # type: ignore[arg-type]
                for name, counts in counters.items()
                for figure, value in counts.changed().items()
            }
        )


def _named(summed: Mapping[str, Counts], prefix: str) -> Iterable[tuple[str, Counts]]:
    for name, counts in summed.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), counts

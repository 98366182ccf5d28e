"""The counters of a campaign, their figures and their increments.

A counter is an item of the campaign, moved by atomic ADD alone. Its sort key is ``N#`` and its
name. A hot campaign has it in several shards (``waypost.repositories``), which readers add up.

    total                 the campaign
    link#{link}           one link
    hour#{2026-11-21T10}  one hour, UTC
    sent                  rewritten deliveries; and as signed#{fingerprint} their links, by the key
                          that signed them
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from waypost.ids import LinkId
from waypost.models.attributes import from_milliseconds

TOTAL_COUNTER: Final = "total"
SENT_COUNTER: Final = "sent"
_LINK_PREFIX: Final = "link#"
_HOUR_PREFIX: Final = "hour#"
MILLISECONDS_PER_HOUR: Final = 3_600_000

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
class ClickCounts:
    """The figures of one counter; figures that the counter does not have are 0.

    ``people`` and ``deliveries`` have a click of any kind, ``…_human`` one with a human verdict.
    ``shared`` are deliveries that several people probably read.

    ``opens_…`` count opens as ``human`` and ``machine`` count clicks. ``opened`` are deliveries
    with an open or a click: a click implies an open, even if images are blocked.
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
        """Return all clicks, of people and bots."""
        return self.human + self.machine

    @property
    def opens(self) -> int:
        """Return all opens, of people and bots."""
        return self.opens_human + self.opens_machine

    def add_figures(self, figures: Mapping[str, int]) -> Self:
        """Return the counts plus these figures."""
        return type(self)(*(getattr(self, name) + figures.get(name, 0) for name in FIGURES))

    def nonzero_figures(self) -> dict[str, int]:
        """Return the figures that are not 0, by name."""
        return {name: value for name in FIGURES if (value := getattr(self, name))}


FIGURES: Final = tuple(f.name for f in fields(ClickCounts))


class CounterCell(NamedTuple):
    """One figure of one counter."""

    counter: str
    figure: Figure


CounterIncrements: TypeAlias = Counter[CounterCell]
"""Increments by figure, negative if a click is reclassified."""


def delivery_figures(deliveries: int, links_by_key: Mapping[str, int] | None) -> dict[str, int]:
    """Return the increments of the ``sent`` counter."""
    links = {
        signing_key_figure(key): number for key, number in (links_by_key or {}).items() if number
    }
    return {SENT_COUNTER: deliveries} | links


def signing_key_figure(fingerprint: str) -> str:
    """Return the name of the figure for links that a key signed."""
    return f"signed#{fingerprint}"


def link_counter_name(link: LinkId) -> str:
    return f"{_LINK_PREFIX}{link}"


def hour_counter_name(time: int) -> str:
    """Return the name of the counter for the hour, UTC, of a time in milliseconds."""
    return _format_hour_counter(time // MILLISECONDS_PER_HOUR)


@lru_cache(maxsize=4_096)  # formatting takes 3 µs, and a campaign's clicks lie in few hours
def _format_hour_counter(number: int) -> str:
    return f"{_HOUR_PREFIX}{from_milliseconds(number * MILLISECONDS_PER_HOUR):%Y-%m-%dT%H}"


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """All figures of a campaign. ``hours`` have names such as ``2026-11-21T10``, UTC."""

    sent: int = 0
    total: ClickCounts = ClickCounts()
    links: Mapping[LinkId, ClickCounts] = field(default_factory=dict)
    hours: Mapping[str, ClickCounts] = field(default_factory=dict)

    @classmethod
    def from_counters(cls, counters: Iterable[tuple[str, Mapping[str, int]]]) -> Self:
        """Add up counters, each a name with its figures. A name occurs once for each shard."""
        summed: dict[str, ClickCounts] = {}
        sent = 0
        for name, figures in counters:
            if name == SENT_COUNTER:
                sent += figures.get(SENT_COUNTER, 0)
            else:
                summed[name] = summed.get(name, ClickCounts()).add_figures(figures)
        return cls(
            sent=sent,
            total=summed.get(TOTAL_COUNTER, ClickCounts()),
            links={LinkId(n): c for n, c in _select_by_prefix(summed, _LINK_PREFIX)},
            hours=dict(_select_by_prefix(summed, _HOUR_PREFIX)),
        )

    def to_increments(self) -> CounterIncrements:
        """Convert the figures to increments, to compare them with those of the ledger."""
        counters = {TOTAL_COUNTER: self.total}
        counters |= {link_counter_name(link): counts for link, counts in self.links.items()}
        counters |= {f"{_HOUR_PREFIX}{hour}": counts for hour, counts in self.hours.items()}
        return Counter(
            {
                CounterCell(name, figure): value  # type: ignore[arg-type]
                for name, counts in counters.items()
                for figure, value in counts.nonzero_figures().items()
            }
        )


def _select_by_prefix(
    counters: Mapping[str, ClickCounts], prefix: str
) -> Iterable[tuple[str, ClickCounts]]:
    for name, counts in counters.items():
        if name.startswith(prefix):
            yield name.removeprefix(prefix), counts

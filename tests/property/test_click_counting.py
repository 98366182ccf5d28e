"""Counters are a function of the set of clicks: order, batches and repetitions change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.click_factory import CAMPAIGN, make_click, make_link_id
from tests.property.click_strategies import LINKS, recipient_clicks, split_into_batches
from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY
from waypost.bot_detection.scoring import DEFAULT_BOT_THRESHOLD, classify_click
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.models.counters import TOTAL_COUNTER, CampaignCounts, CounterCell, CounterIncrements
from waypost.models.recipient import (
    MAX_INLINE_CLICKS,
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
)
from waypost.tally.aggregation import apply_clicks

COUNTING = settings(max_examples=settings().max_examples * 3 // 5)


class RecipientSimulation:
    """A recipient's row, overflow items and counter increments, as the tally stores them."""

    def __init__(self) -> None:
        self.row = RecipientRow(RecipientKey(CAMPAIGN, "p:p1"))
        self.sheets: dict[int, OverflowItem] = {}
        self.counters: CounterIncrements = Counter()

    def take(self, clicks: Iterable[Click]) -> None:
        marks = [classify_click(click) for click in clicks]
        near = {
            sheet
            for mark in marks
            for sheet in range(mark.overflow_number - 1, mark.overflow_number + 2)
        }
        sheets = {number: self.sheets[number] for number in near if number in self.sheets}
        if change := apply_clicks(self.row, sheets, marks):
            self.row = change.row
            self.sheets |= {sheet.number: sheet for sheet in change.overflow_items}
            self.counters.update(change.increments)

    def marks(self) -> list[CountedClick]:
        return [
            *self.row.counted_clicks,
            *(m for sheet in self.sheets.values() for m in sheet.counted_clicks),
        ]

    def figures(self) -> dict[CounterCell, int]:
        """Return all counters but ``shared``.

        For a full row, ``shared`` depends on the clicks that were read.
        """
        return {c: n for c, n in self.counters.items() if n and c.figure != "shared"}


@COUNTING
@given(clicks=recipient_clicks, seed=st.integers())
def test_order_batches_and_repetitions_change_no_counter(clicks: list[Click], seed: int) -> None:
    at_once, in_pieces = RecipientSimulation(), RecipientSimulation()
    at_once.take(clicks)
    for batch in split_into_batches(clicks, seed):
        in_pieces.take(batch)
    assert in_pieces.figures() == at_once.figures()
    if len(clicks) <= MAX_INLINE_CLICKS:
        assert in_pieces.counters == at_once.counters


@COUNTING
@given(clicks=recipient_clicks, seed=st.integers())
def test_figures_add_up(clicks: list[Click], seed: int) -> None:
    recipient = RecipientSimulation()
    for batch in split_into_batches(clicks, seed):
        recipient.take(batch)
    figures: dict[str, dict[str, int]] = {}
    for (counter, figure), value in recipient.counters.items():
        figures.setdefault(counter, {})[figure] = value
    counts = CampaignCounts.from_counters(figures.items())
    machines = sum(mark.is_bot for mark in recipient.marks())
    assert (counts.total.total, counts.total.machine) == (len(clicks), machines)
    assert counts.total.people == bool(clicks)
    assert counts.total.deliveries == len({click.delivery for click in clicks})
    assert sum(c.human for c in counts.links.values()) == counts.total.human
    assert sum(c.machine for c in counts.hours.values()) == machines
    assert {n for n, c in counts.links.items() if c.people} == {click.link for click in clicks}
    assert all(value >= 0 for value in recipient.counters.values())


@COUNTING
@given(clicks=recipient_clicks, seed=st.integers())
def test_every_click_survives_the_item_round_trip(clicks: list[Click], seed: int) -> None:
    recipient = RecipientSimulation()
    for batch in split_into_batches(clicks, seed):
        recipient.take(batch)
    assert len(recipient.marks()) == len({m.id for m in recipient.marks()}) == len(clicks)
    assert len(recipient.row.counted_clicks) <= MAX_INLINE_CLICKS
    assert RecipientRow.from_item(recipient.row.key, recipient.row.to_item()) == recipient.row
    for sheet in recipient.sheets.values():
        assert OverflowItem.from_item(sheet.key, sheet.to_item()) == sheet
        assert {mark.overflow_number for mark in sheet.counted_clicks} == {sheet.number}


@COUNTING
@given(clicks=recipient_clicks, seed=st.integers())
def test_labels_do_not_depend_on_the_order_of_arrival(clicks: list[Click], seed: int) -> None:
    at_once, in_pieces = RecipientSimulation(), RecipientSimulation()
    at_once.take(clicks)
    for batch in split_into_batches(clicks, seed):
        in_pieces.take(batch)
    labels = [{(m.id, m.signals, m.is_bot) for m in r.marks()} for r in (at_once, in_pieces)]
    assert labels[0] == labels[1]


@pytest.mark.heavy
@settings(max_examples=5, deadline=None)
@given(seed=st.integers())
def test_flood_of_one_scanner_is_counted_completely(seed: int) -> None:
    random = Random(seed)
    flood = [
        make_click(f"flood-{n}", name=random.choice(LINKS), after=random.random() * 60)
        for n in range(600)
    ]
    recipient = RecipientSimulation()
    for batch in split_into_batches(flood, seed):
        recipient.take(batch)
    assert recipient.counters[CounterCell(TOTAL_COUNTER, "human")] + recipient.counters[
        CounterCell(TOTAL_COUNTER, "machine")
    ] == len(flood)
    assert len(recipient.row.to_item()["marks"]["B"]) < 1024  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["home", HONEYPOT_IDENTITY])
def test_generated_clicks_match_the_models(name: str) -> None:
    click = make_click(name=name)
    assert click.link == make_link_id(name)
    assert classify_click(click).time == to_milliseconds(click.time)
    assert classify_click(click, DEFAULT_BOT_THRESHOLD).is_bot is (name == HONEYPOT_IDENTITY)

"""Compute the changes that clicks make to a recipient's row and a campaign's counters.

Pure functions of the set of clicks: the increments add up to the same counters for any batches,
repetitions and order. Exact counting depends on it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from waypost.bot_detection.bursts import detect_forwarding, find_burst_signals
from waypost.bot_detection.scoring import DEFAULT_BOT_THRESHOLD, compute_score
from waypost.ids import LinkId, is_open_id
from waypost.models.counters import (
    TOTAL_COUNTER,
    CounterCell,
    CounterIncrements,
    Figure,
    hour_counter_name,
    link_counter_name,
)
from waypost.models.recipient import (
    MAX_DISTINCT_KEYS,
    MAX_INLINE_CLICKS,
    NO_VISITS,
    CountedClick,
    OverflowItem,
    RecipientKey,
    RecipientRow,
    Visits,
    next_overflow_number,
)

MAX_LINKS_PER_RECLASSIFICATION: Final = 40
"""Links whose clicks are reclassified in one change. Each link has a counter, and each click of a
row may have its own hour, so more would not fit one transaction.
"""

_TotalKey = TypeVar("_TotalKey", LinkId, bytes)


@dataclass(frozen=True, slots=True)
class RecipientChange:
    """The row and overflow items to write, and the increments of the counters.

    ``new_clicks`` are counted by it; ``reclassified`` clicks counted as human until now.
    """

    row: RecipientRow
    overflow_items: tuple[OverflowItem, ...]
    increments: CounterIncrements
    new_clicks: tuple[CountedClick, ...]
    reclassified: tuple[CountedClick, ...]


def apply_clicks(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    clicks: Iterable[CountedClick],
    *,
    threshold: int = DEFAULT_BOT_THRESHOLD,
    batch: int | None = None,
) -> RecipientChange | None:
    """Count the clicks that are not counted yet; return None if all are.

    For a full row, ``overflow_items`` holds the stored items of each click and of its neighbours.
    ``batch`` is stored with the counted clicks; None keeps their own.
    """
    known_clicks = _list_known_clicks(row, overflow_items)
    new_clicks = _filter_new_clicks(known_clicks, clicks, batch)
    if not new_clicks:
        return None
    classified = _classify_all([*known_clicks, *new_clicks], threshold)
    new_clicks = [classified[click.id] for click in new_clicks]
    reclassified = [
        classified[c.id] for c in known_clicks if classified[c.id].is_bot and not c.is_bot
    ]
    return _build_change(row, overflow_items, new_clicks, reclassified, classified)


def reclassify(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    clicks: Iterable[CountedClick] = (),
    *,
    threshold: int = DEFAULT_BOT_THRESHOLD,
) -> RecipientChange | None:
    """Reclassify counted clicks as bots, as if ``clicks`` were counted too; None if none changes.

    The change fits one transaction, so repeat the call until it returns None. Needed before a click
    that reclassifies more clicks than one transaction holds.
    """
    known_clicks = _list_known_clicks(row, overflow_items)
    new_clicks = _filter_new_clicks(known_clicks, clicks, None)
    classified = _classify_all([*known_clicks, *new_clicks], threshold)
    reclassified = _select_reclassifications(row, overflow_items, classified)
    if not reclassified:
        return None
    after = {click.id: reclassified.get(click.id, click) for click in known_clicks}
    return _build_change(row, overflow_items, (), tuple(reclassified.values()), after)


def _list_known_clicks(
    row: RecipientRow, overflow_items: Mapping[int, OverflowItem]
) -> list[CountedClick]:
    overflow = (click for item in overflow_items.values() for click in item.counted_clicks)
    return [*row.counted_clicks, *overflow]


def _filter_new_clicks(
    known_clicks: Sequence[CountedClick], clicks: Iterable[CountedClick], batch: int | None
) -> list[CountedClick]:
    known_ids = {click.id for click in known_clicks}
    new_clicks = {click.id: click for click in clicks if click.id not in known_ids}
    if batch is not None:
        new_clicks = {id_: replace(click, batch=batch) for id_, click in new_clicks.items()}
    return sorted(new_clicks.values(), key=lambda click: (click.time, click.id))


def _classify_all(clicks: Sequence[CountedClick], threshold: int) -> dict[bytes, CountedClick]:
    """Add the signals of neighbours to every click. A bot stays a bot at any threshold."""
    burst_signals = find_burst_signals(clicks)
    classified = {}
    for click in clicks:
        signals = click.signals | burst_signals.get(click.id, 0)
        is_bot = click.is_bot or compute_score(signals) >= threshold
        is_same = signals == click.signals and is_bot == click.is_bot
        classified[click.id] = click if is_same else replace(click, signals=signals, is_bot=is_bot)
    return classified


def _select_reclassifications(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    classified: Mapping[bytes, CountedClick],
) -> dict[bytes, CountedClick]:
    """Select clicks of some links, from the first of row and overflow items that has any."""
    for clicks in (row.counted_clicks, *(item.counted_clicks for item in overflow_items.values())):
        changed = [classified[c.id] for c in clicks if classified[c.id].is_bot and not c.is_bot]
        if changed:
            links = list(dict.fromkeys(click.link for click in changed))
            links = links[:MAX_LINKS_PER_RECLASSIFICATION]
            return {click.id: click for click in changed if click.link in links}
    return {}


def _build_change(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
    classified: Mapping[bytes, CountedClick],
) -> RecipientChange:
    after = with_totals(row, new_clicks, reclassified, classified.values())
    return RecipientChange(
        row=_add_inline_clicks(after, new_clicks, classified),
        overflow_items=tuple(_build_overflow_items(row, overflow_items, new_clicks, classified)),
        increments=compute_counter_increments(row, after, new_clicks, reclassified),
        new_clicks=tuple(new_clicks),
        reclassified=tuple(reclassified),
    )


def _add_inline_clicks(
    row: RecipientRow, new_clicks: Sequence[CountedClick], classified: Mapping[bytes, CountedClick]
) -> RecipientRow:
    capacity = max(MAX_INLINE_CLICKS - len(row.counted_clicks), 0)
    counted_clicks = (
        *(classified[click.id] for click in row.counted_clicks),
        *new_clicks[:capacity],
    )
    return replace(row, counted_clicks=counted_clicks)


def _build_overflow_items(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    new_clicks: Sequence[CountedClick],
    classified: Mapping[bytes, CountedClick],
) -> Iterable[OverflowItem]:
    """Yield the overflow items that change."""
    added: defaultdict[int, list[CountedClick]] = defaultdict(list)
    empty = OverflowItem(row.key)
    for click in new_clicks[max(MAX_INLINE_CLICKS - len(row.counted_clicks), 0) :]:
        number = click.overflow_number
        while len(added[number]) >= overflow_items.get(number, empty).remaining_capacity:
            number = next_overflow_number(number)
        added[number].append(click)
    for number in sorted({*overflow_items, *added}):
        item = overflow_items.get(number) or OverflowItem(RecipientKey(*row.key[:2], number))
        clicks = (*(classified[click.id] for click in item.counted_clicks), *added[number])
        if clicks != item.counted_clicks:
            yield OverflowItem(item.key, item.version + 1, clicks)


# Totals of a row


def with_totals(
    row: RecipientRow,
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
    known_clicks: Iterable[CountedClick],
) -> RecipientRow:
    """Return the row with updated totals; its own list of clicks is unchanged.

    ``known_clicks`` are all clicks that were read or are new.
    """
    shared = detect_forwarding(known_clicks)
    clicks, opens = _split_opens(new_clicks)
    reclassified_clicks, reclassified_opens = _split_opens(reclassified)
    return replace(
        row,
        version=row.version + 1,
        total=_add_visits(_reclassify_visits(row.total, len(reclassified_clicks)), clicks),
        links=_update_visits(row.links, new_clicks, reclassified, "link"),
        deliveries=_update_visits(row.deliveries, clicks, reclassified_clicks, "delivery"),
        opens=_update_visits(row.opens, opens, reclassified_opens, "delivery"),
        shared_deliveries=row.shared_deliveries | shared if row.is_full else shared,
    )


def _split_opens(clicks: Sequence[CountedClick]) -> tuple[list[CountedClick], list[CountedClick]]:
    """Return clicks of links, and opens."""
    links: list[CountedClick] = []
    opens: list[CountedClick] = []
    for click in clicks:
        (opens if is_open_id(click.link) else links).append(click)
    return links, opens


def _update_visits(
    before: Mapping[_TotalKey, Visits],
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
    attribute: Literal["link", "delivery"],
) -> dict[_TotalKey, Visits]:
    totals = dict(before)
    for key, count in Counter(getattr(click, attribute) for click in reclassified).items():
        if key in totals:
            totals[key] = _reclassify_visits(totals[key], count)
    grouped: defaultdict[_TotalKey, list[CountedClick]] = defaultdict(list)
    for click in new_clicks:
        grouped[getattr(click, attribute)].append(click)
    for key, clicks in grouped.items():
        if key in totals or len(totals) < MAX_DISTINCT_KEYS:
            totals[key] = _add_visits(totals.get(key, Visits()), clicks)
    return totals


def _add_visits(visits: Visits, clicks: Sequence[CountedClick]) -> Visits:
    if not clicks:
        return visits
    bots = sum(click.is_bot for click in clicks)
    times = [click.time for click in clicks]
    if visits.total:
        times += [visits.first, visits.last]
    return Visits(visits.human + len(clicks) - bots, visits.bot + bots, min(times), max(times))


def _reclassify_visits(visits: Visits, count: int) -> Visits:
    return replace(visits, human=visits.human - count, bot=visits.bot + count)


# Increments of counters


def compute_counter_increments(
    before: RecipientRow,
    after: RecipientRow,
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
) -> CounterIncrements:
    """Compute the increments of the counters when a row changes from ``before`` to ``after``."""
    increments: CounterIncrements = Counter()
    for click in new_clicks:
        _add_click(increments, click, 1, is_bot=click.is_bot)
    for click in reclassified:
        _add_click(increments, click, -1, is_bot=False)
        _add_click(increments, click, 1, is_bot=True)
    people: tuple[Figure, Figure] = ("people", "people_human")
    _add_unique_figures(increments, TOTAL_COUNTER, people, before.total, after.total)
    for link, visits in after.links.items():
        if not is_open_id(link):
            earlier = before.links.get(link, NO_VISITS)
            _add_unique_figures(increments, link_counter_name(link), people, earlier, visits)
    for delivery, visits in after.deliveries.items():
        earlier = before.deliveries.get(delivery, NO_VISITS)
        _add_unique_figures(
            increments, TOTAL_COUNTER, ("deliveries", "deliveries_human"), earlier, visits
        )
    for delivery in after.deliveries.keys() | after.opens.keys():
        engagement = before.get_engagement(delivery), after.get_engagement(delivery)
        _add_unique_figures(increments, TOTAL_COUNTER, ("opened", "opened_human"), *engagement)
    increments[CounterCell(TOTAL_COUNTER, "shared")] += len(after.shared_deliveries) - len(
        before.shared_deliveries
    )
    return Counter({cell: value for cell, value in increments.items() if value})


def _add_click(
    increments: CounterIncrements, click: CountedClick, amount: int, *, is_bot: bool
) -> None:
    """Add a click or an open to its counters, or subtract it with a negative amount."""
    figure: Figure
    if is_open_id(click.link):
        figure = "opens_machine" if is_bot else "opens_human"
    else:
        figure = "machine" if is_bot else "human"
        increments[CounterCell(link_counter_name(click.link), figure)] += amount
    increments[CounterCell(TOTAL_COUNTER, figure)] += amount
    increments[CounterCell(hour_counter_name(click.time), figure)] += amount


def _add_unique_figures(
    increments: CounterIncrements,
    counter: str,
    figures: tuple[Figure, Figure],
    before: Visits,
    after: Visits,
) -> None:
    increments[CounterCell(counter, figures[0])] += bool(after.total) - bool(before.total)
    increments[CounterCell(counter, figures[1])] += bool(after.human) - bool(before.human)

"""What new clicks change in a recipient's row, and therefore in the campaign's counters.

The result is a function of the set of clicks: however they are cut into batches, repeated or
ordered, the increments add up to the same figures. That is what exact counting stands on.

How counters move when a recipient's row does.

What a recipient's row sums: clicks and opens by link and by delivery.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

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


def compute_counter_increments(
    before: RecipientRow,
    after: RecipientRow,
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
) -> CounterIncrements:
    """What to add to the counters when a row goes from ``before`` to ``after``, which has the marks
    that are ``fresh`` and those that counted as human before.
    """
    found: CounterIncrements = Counter()
    for mark in new_clicks:
        _add_click(found, mark, 1, is_bot=mark.is_bot)
    for mark in reclassified:
        _add_click(found, mark, -1, is_bot=False)
        _add_click(found, mark, 1, is_bot=True)
    _add_unique_figures(found, TOTAL_COUNTER, ("people", "people_human"), before.total, after.total)
    for link, visits in after.links.items():
        if is_open_id(link):
            continue
        earlier = before.links.get(link, NO_VISITS)
        _add_unique_figures(
            found, link_counter_name(link), ("people", "people_human"), earlier, visits
        )
    for delivery, visits in after.deliveries.items():
        earlier = before.deliveries.get(delivery, NO_VISITS)
        _add_unique_figures(
            found, TOTAL_COUNTER, ("deliveries", "deliveries_human"), earlier, visits
        )
    for delivery in after.deliveries.keys() | after.opens.keys():
        read = before.get_engagement(delivery), after.get_engagement(delivery)
        _add_unique_figures(found, TOTAL_COUNTER, ("opened", "opened_human"), *read)
    found[CounterCell(TOTAL_COUNTER, "shared")] += len(after.shared_deliveries) - len(
        before.shared_deliveries
    )
    return Counter({cell: value for cell, value in found.items() if value})


def _add_click(
    increments: CounterIncrements, click: CountedClick, amount: int, *, is_bot: bool
) -> None:
    """Add a click or an open, or take it away, where it counts as of that kind."""
    hour = hour_counter_name(click.time)
    figure: Figure
    if is_open_id(click.link):
        figure = "opens_machine" if is_bot else "opens_human"
    else:
        figure = "machine" if is_bot else "human"
        increments[CounterCell(link_counter_name(click.link), figure)] += amount
    increments[CounterCell(TOTAL_COUNTER, figure)] += amount
    increments[CounterCell(hour, figure)] += amount


def _add_unique_figures(
    increments: CounterIncrements,
    counter: str,
    figures: tuple[Figure, Figure],
    before: Visits,
    after: Visits,
) -> None:
    increments[CounterCell(counter, figures[0])] += bool(after.total) - bool(before.total)
    increments[CounterCell(counter, figures[1])] += bool(after.human) - bool(before.human)


_SumKey = TypeVar("_SumKey", LinkId, bytes)


def with_totals(
    row: RecipientRow,
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
    known_clicks: Iterable[CountedClick],
) -> RecipientRow:
    """The row with its sums moved by marks that are counted and marks that are labelled anew, its
    own marks still as they were. ``marks``: all that are known.
    """
    shared = detect_forwarding(known_clicks)
    clicks, opens = _split_opens(new_clicks)
    clicks_before, opens_before = _split_opens(reclassified)
    return replace(
        row,
        version=row.version + 1,
        total=_add_visits(_reclassify_visits(row.total, len(clicks_before)), clicks),
        links=_update_visits(row.links, new_clicks, reclassified, "link"),
        deliveries=_update_visits(row.deliveries, clicks, clicks_before, "delivery"),
        opens=_update_visits(row.opens, opens, opens_before, "delivery"),
        shared_deliveries=row.shared_deliveries | shared if row.is_full else shared,
    )


def _split_opens(clicks: Sequence[CountedClick]) -> tuple[list[CountedClick], list[CountedClick]]:
    """Clicks and opens."""
    opens = [is_open_id(mark.link) for mark in clicks]
    return (
        [mark for mark, is_open in zip(clicks, opens, strict=True) if not is_open],
        [mark for mark, is_open in zip(clicks, opens, strict=True) if is_open],
    )


def _update_visits(
    before: Mapping[_SumKey, Visits],
    new_clicks: Sequence[CountedClick],
    reclassified: Sequence[CountedClick],
    attribute: str,
) -> dict[_SumKey, Visits]:
    sums = dict(before)
    for name, count in Counter(getattr(mark, attribute) for mark in reclassified).items():
        if name in sums:
            sums[name] = _reclassify_visits(sums[name], count)
    grouped: defaultdict[_SumKey, list[CountedClick]] = defaultdict(list)
    for mark in new_clicks:
        grouped[getattr(mark, attribute)].append(mark)
    for name, marks in grouped.items():
        if name in sums or len(sums) < MAX_DISTINCT_KEYS:
            sums[name] = _add_visits(sums.get(name, Visits()), marks)
    return sums


def _add_visits(visits: Visits, clicks: Sequence[CountedClick]) -> Visits:
    if not clicks:
        return visits
    machine = sum(mark.is_bot for mark in clicks)
    times = [mark.time for mark in clicks] + ([visits.first, visits.last] if visits.total else [])
    return Visits(
        visits.human + len(clicks) - machine, visits.bot + machine, min(times), max(times)
    )


def _reclassify_visits(visits: Visits, count: int) -> Visits:
    return replace(visits, human=visits.human - count, bot=visits.bot + count)


MAX_LINKS_PER_RECLASSIFICATION: Final = 40
"""Of which marks are labelled anew by themselves: each has a counter, and each mark of a row an
hour, so that all of it fits one transaction.
"""


@dataclass(frozen=True, slots=True)
class RecipientChange:
    """What to write: the row and sheets as they shall be, and what that adds to the counters.

    ``fresh`` are the marks counted by it, ``relabelled`` those that counted as human until now.
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
    """Count the marks that are not counted yet; None where all of them are.

    Where the row is full, ``sheets`` holds the stored sheets of each mark and of its neighbours.
    ``batch`` is noted on what is counted; None leaves the marks' own.
    """
    before = [
        *row.counted_clicks,
        *(mark for sheet in overflow_items.values() for mark in sheet.counted_clicks),
    ]
    fresh = _filter_new_clicks(before, clicks, batch)
    if not fresh:
        return None
    judged = _classify_all([*before, *fresh], threshold)
    fresh = [judged[mark.id] for mark in fresh]
    relabelled = [judged[m.id] for m in before if judged[m.id].is_bot and not m.is_bot]
    return _build_change(row, overflow_items, fresh, relabelled, judged)


def reclassify(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    clicks: Iterable[CountedClick] = (),
    *,
    threshold: int = DEFAULT_BOT_THRESHOLD,
) -> RecipientChange | None:
    """Label anew what is counted, as it will be beside further ``marks``, which are not counted by
    it; a part that fits one transaction, and None once all is done.

    Where one mark changes the labels of so many that no transaction holds them, they go before it.
    """
    before = [
        *row.counted_clicks,
        *(mark for sheet in overflow_items.values() for mark in sheet.counted_clicks),
    ]
    judged = _classify_all([*before, *_filter_new_clicks(before, clicks, None)], threshold)
    relabelled = _select_reclassifications(row, overflow_items, judged)
    after = {mark.id: relabelled.get(mark.id, mark) for mark in before}
    return (
        _build_change(row, overflow_items, (), tuple(relabelled.values()), after)
        if relabelled
        else None
    )


def _select_reclassifications(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    classified: Mapping[bytes, CountedClick],
) -> dict[bytes, CountedClick]:
    """Of the first record with marks to be labelled anew, those of some links."""
    for marks in (row.counted_clicks, *(sheet.counted_clicks for sheet in overflow_items.values())):
        waiting = [classified[m.id] for m in marks if classified[m.id].is_bot and not m.is_bot]
        if waiting:
            links = list(dict.fromkeys(mark.link for mark in waiting))[
                :MAX_LINKS_PER_RECLASSIFICATION
            ]
            return {mark.id: mark for mark in waiting if mark.link in links}
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


def _filter_new_clicks(
    known_clicks: Sequence[CountedClick], clicks: Iterable[CountedClick], batch: int | None
) -> list[CountedClick]:
    counted = {mark.id for mark in known_clicks}
    fresh = {mark.id: mark for mark in clicks if mark.id not in counted}
    if batch is not None:
        fresh = {id_: replace(mark, batch=batch) for id_, mark in fresh.items()}
    return sorted(fresh.values(), key=lambda mark: (mark.time, mark.id))


def _classify_all(clicks: Sequence[CountedClick], threshold: int) -> dict[bytes, CountedClick]:
    """Every mark with what its neighbours tell. A machine stays one, whatever the threshold."""
    company = find_burst_signals(clicks)
    judged = {}
    for mark in clicks:
        signals = mark.signals | company.get(mark.id, 0)
        machine = mark.is_bot or compute_score(signals) >= threshold
        same = signals == mark.signals and machine == mark.is_bot
        judged[mark.id] = mark if same else replace(mark, signals=signals, is_bot=machine)
    return judged


def _add_inline_clicks(
    row: RecipientRow, new_clicks: Sequence[CountedClick], classified: Mapping[bytes, CountedClick]
) -> RecipientRow:
    room = MAX_INLINE_CLICKS - len(row.counted_clicks)
    kept = (*(classified[mark.id] for mark in row.counted_clicks), *new_clicks[: max(room, 0)])
    return replace(row, counted_clicks=kept)


def _build_overflow_items(
    row: RecipientRow,
    overflow_items: Mapping[int, OverflowItem],
    new_clicks: Sequence[CountedClick],
    classified: Mapping[bytes, CountedClick],
) -> Iterable[OverflowItem]:
    added: defaultdict[int, list[CountedClick]] = defaultdict(list)
    empty = OverflowItem(row.key)
    for mark in new_clicks[max(MAX_INLINE_CLICKS - len(row.counted_clicks), 0) :]:
        number = mark.overflow_number
        while len(added[number]) >= overflow_items.get(number, empty).remaining_capacity:
            number = next_overflow_number(number)
        added[number].append(mark)
    for number in sorted({*overflow_items, *added}):
        sheet = overflow_items.get(number) or OverflowItem(RecipientKey(*row.key[:2], number))
        marks = (*(classified[mark.id] for mark in sheet.counted_clicks), *added[number])
        if marks != sheet.counted_clicks:
            yield OverflowItem(sheet.key, sheet.version + 1, marks)

"""Tells the event bus of counted clicks, each once.

A transaction that counts also writes a notice of what is to be told. It goes when the bus has
taken all of it; what the bus refuses stays on it, and its clicks are given again. Whoever finds a
click counted already looks whether its notice is still there: a tally that died between counting
and telling is made up for, and a click that was told is not told again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from waypost.bot_detection.scoring import Signal, Verdict, verdict
from waypost.counting.settling import Settled
from waypost.errors import StoreError
from waypost.ids import CampaignCode
from waypost.model.mark import click_hash
from waypost.models.click import Click
from waypost.repositories.recipients import RecipientStore

Told = tuple[Click, Verdict]


class Bus(Protocol):
    """Takes events; answers with the ids of the clicks that it took."""

    def tell(self, clicks: Sequence[Told]) -> set[str]: ...


class Telling:
    """Tells of the clicks of a batch; without a bus, of none."""

    def __init__(self, store: RecipientStore, bus: Bus | None) -> None:
        self._store = store
        self._bus = bus

    @property
    def silent(self) -> bool:
        return self._bus is None

    def tell(self, campaign: CampaignCode, clicks: Sequence[Click], settled: Settled) -> set[bytes]:
        """Tell what is to be told; hashes of the ids of clicks that have to be given again."""
        by_batch: defaultdict[int, list[tuple[Click, bytes]]] = defaultdict(list)
        for click in clicks:
            mark = settled.counted.get(click_hash(click.id))
            if mark is not None and mark.batch:
                by_batch[mark.batch].append((click, mark.id))
        if self._bus is None or not by_batch:
            return set()
        try:
            notices = self._notices(campaign, by_batch, settled)
        except StoreError as e:
            settled.reasons.add(str(e))
            return {id_ for pairs in by_batch.values() for _, id_ in pairs}
        failed: set[bytes] = set()
        for batch, notice in notices.items():
            due = {id_: click for click, id_ in by_batch[batch] if id_ in notice}
            told = self._told(self._bus, settled, due)
            failed |= set(due) - told
            try:
                self._store.told(campaign, batch, notice - told)
            except StoreError as e:
                settled.reasons.add(str(e))
                failed |= told  # given again: the notice may still ask for them
        return failed

    def _notices(
        self, campaign: CampaignCode, batches: Mapping[int, object], settled: Settled
    ) -> dict[int, frozenset[bytes]]:
        earlier = [batch for batch in batches if batch not in settled.notices]
        stored = self._store.notices(campaign, earlier) if earlier else {}
        return {**stored, **settled.notices}

    def _told(self, bus: Bus, settled: Settled, due: Mapping[bytes, Click]) -> set[bytes]:
        told = [(click, _verdict(settled, id_)) for id_, click in due.items()]
        try:
            return {click_hash(id_) for id_ in bus.tell(told)} if told else set()
        except StoreError as e:
            settled.reasons.add(str(e))
            return set()


def _verdict(settled: Settled, id_: bytes) -> Verdict:
    mark = settled.counted[id_]
    return verdict(Signal(mark.signals), machine=mark.machine)

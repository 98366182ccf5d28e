"""What the event bus is told of a counted click, in the shape of the reference's webhook.

    source       waypost
    detail-type  clicked, or opened (then without href and link_id)
    detail       {event_id, metric, timestamp, data: {customer_id, identifiers, delivery_id,
                  recipient, href, link_id, campaign_id, verdict: {kind, score, reasons}}}

``event_id`` follows from the click's id: the same click never has two. ``recipient``, an address
in the reference's events, is always null here: the stack is not told addresses. A click without
identity has null for person and delivery as well.

Tells the event bus of counted clicks, each once.

A transaction that counts also writes a notice of what is to be told. It goes when the bus has
taken all of it; what the bus refuses stays on it, and its clicks are given again. Whoever finds a
click counted already looks whether its notice is still there: a tally that died between counting
and telling is made up for, and a click that was told is not told again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Protocol

from waypost.aws.event_bus import BusEvent, EventBus, PutEventsClient
from waypost.bot_detection.scoring import BotSignal, BotVerdict, build_verdict
from waypost.errors import StoreError
from waypost.ids import CampaignId
from waypost.models.attributes import format_rfc3339
from waypost.models.click import Click
from waypost.models.recipient import click_hash
from waypost.repositories.recipients import RecipientRepository
from waypost.tally.transactions import CommitResult


class ClickEventBus:
    """Publishes click events on the stack's event bus."""

    def __init__(self, client: PutEventsClient, bus_name: str) -> None:
        self._event_bus = EventBus(client, bus_name)

    def publish(self, clicks: Sequence[tuple[Click, BotVerdict]]) -> set[str]:
        """Publish clicks with their verdicts; return the ids of those that the bus accepted."""
        errors = self._event_bus.put_events(
            [
                BusEvent(click.metric, build_click_event(click, verdict), click.time)
                for click, verdict in clicks
            ]
        )
        return {click.id for (click, _), error in zip(clicks, errors, strict=True) if error is None}


def build_click_event(click: Click, verdict: BotVerdict) -> dict[str, object]:
    """The event of a click."""
    anonymous = click.alias is not None
    return {
        "event_id": derive_event_id(click.id),
        "metric": click.metric,
        "timestamp": int(click.time.timestamp()),
        "data": {
            "customer_id": click.person,
            "identifiers": {"id": click.person} if click.person else {},
            "delivery_id": None if anonymous else click.delivery,
            "recipient": None,
            "href": click.href or None,
            "link_id": None if click.metric == "opened" else click.link,
            "campaign_id": click.campaign,
            "time": format_rfc3339(click.time),
            "verdict": {
                "kind": verdict.kind,
                "score": verdict.score,
                "reasons": list(verdict.reasons),
            },
        },
    }


def derive_event_id(click_id: str) -> str:
    """One for each click, however often it is told."""
    return blake2b(click_id.encode(), digest_size=16, person=b"waypost.event").hexdigest()


ClickWithVerdict = tuple[Click, BotVerdict]


class EventSink(Protocol):
    """Takes events; answers with the ids of the clicks that it took."""

    def publish(self, clicks: Sequence[ClickWithVerdict]) -> set[str]: ...


class EventPublisher:
    """Tells of the clicks of a batch; without a bus, of none."""

    def __init__(self, repository: RecipientRepository, event_bus: EventSink | None) -> None:
        self._repository = repository
        self._event_bus = event_bus

    @property
    def is_silent(self) -> bool:
        return self._event_bus is None

    def publish_events(
        self, campaign: CampaignId, clicks: Sequence[Click], result: CommitResult
    ) -> set[bytes]:
        """Tell what is to be told; hashes of the ids of clicks that have to be given again."""
        by_batch: defaultdict[int, list[tuple[Click, bytes]]] = defaultdict(list)
        for click in clicks:
            mark = result.counted.get(click_hash(click.id))
            if mark is not None and mark.batch:
                by_batch[mark.batch].append((click, mark.id))
        if self._event_bus is None or not by_batch:
            return set()
        try:
            notices = self._load_outbox(campaign, by_batch, result)
        except StoreError as e:
            result.failure_reasons.add(str(e))
            return {id_ for pairs in by_batch.values() for _, id_ in pairs}
        failed: set[bytes] = set()
        for batch, notice in notices.items():
            due = {id_: click for click, id_ in by_batch[batch] if id_ in notice}
            told = self._publish_due(self._event_bus, result, due)
            failed |= set(due) - told
            try:
                self._repository.update_outbox(campaign, batch, notice - told)
            except StoreError as e:
                result.failure_reasons.add(str(e))
                failed |= told  # given again: the notice may still ask for them
        return failed

    def _load_outbox(
        self, campaign: CampaignId, batches: Mapping[int, object], result: CommitResult
    ) -> dict[int, frozenset[bytes]]:
        earlier = [batch for batch in batches if batch not in result.outbox]
        stored = self._repository.get_outbox_entries(campaign, earlier) if earlier else {}
        return {**stored, **result.outbox}

    def _publish_due(
        self, event_bus: EventSink, result: CommitResult, due: Mapping[bytes, Click]
    ) -> set[bytes]:
        told = [(click, _get_verdict(result, id_)) for id_, click in due.items()]
        try:
            return {click_hash(id_) for id_ in event_bus.publish(told)} if told else set()
        except StoreError as e:
            result.failure_reasons.add(str(e))
            return set()


def _get_verdict(result: CommitResult, id_: bytes) -> BotVerdict:
    mark = result.counted[id_]
    return build_verdict(BotSignal(mark.signals), is_bot=mark.is_bot)

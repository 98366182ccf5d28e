"""Publish counted clicks on the event bus, each once, from an outbox.

The transaction that counts clicks also writes an outbox entry with their ids. Published clicks are
removed from the entry; clicks that the bus rejects stay in it and are retried. For a click that is
counted already, the stored entry decides if it still has to be published. So a tally that is killed
between counting and publishing loses no event.

An event has the format of the reference's webhook:

    source       waypost
    detail-type  clicked, or opened (without href and link_id)
    detail       {event_id, metric, timestamp, data: {customer_id, identifiers, delivery_id,
                  recipient, href, link_id, campaign_id, verdict: {kind, score, reasons}}}

``event_id`` is derived from the click's id, so a click has one event id. ``recipient``, an address
in the reference's events, is always null: the stack does not know addresses. In the event of an
anonymous click, person and delivery are null too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeAlias

from waypost.aws.event_bus import BusEvent, EventBus, PutEventsClient
from waypost.bot_detection.scoring import BotSignal, BotVerdict, build_verdict
from waypost.errors import StoreError
from waypost.ids import CampaignId
from waypost.models.attributes import format_rfc3339
from waypost.models.click import Click
from waypost.models.recipient import CountedClick, click_hash
from waypost.repositories.recipients import RecipientRepository
from waypost.tally.transactions import CommitResult

ClickWithVerdict: TypeAlias = tuple[Click, BotVerdict]


class ClickEventBus:
    """The stack's event bus, for click events."""

    def __init__(self, client: PutEventsClient, bus_name: str) -> None:
        self._event_bus = EventBus(client, bus_name)

    def publish(self, clicks: Sequence[ClickWithVerdict]) -> set[str]:
        """Publish clicks with their verdicts; return the ids of those that the bus accepted."""
        errors = self._event_bus.put_events(
            [
                BusEvent(click.metric, build_click_event(click, verdict), click.time)
                for click, verdict in clicks
            ]
        )
        return {click.id for (click, _), error in zip(clicks, errors, strict=True) if error is None}


def build_click_event(click: Click, verdict: BotVerdict) -> dict[str, object]:
    """Build the detail of a click's event."""
    is_anonymous = click.alias is not None
    return {
        "event_id": derive_event_id(click.id),
        "metric": click.metric,
        "timestamp": int(click.time.timestamp()),
        "data": {
            "customer_id": click.person,
            "identifiers": {"id": click.person} if click.person else {},
            "delivery_id": None if is_anonymous else click.delivery,
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
    """Derive the id of a click's event, the same each time that it is published."""
    return blake2b(click_id.encode(), digest_size=16, person=b"waypost.event").hexdigest()


class EventPublisher:
    """Publishes the clicks of a batch; without a bus it publishes none."""

    def __init__(self, repository: RecipientRepository, event_bus: ClickEventBus | None) -> None:
        self._repository = repository
        self._event_bus = event_bus

    @property
    def has_bus(self) -> bool:
        """Return False for a stack that publishes no events."""
        return self._event_bus is not None

    def publish_events(
        self, campaign: CampaignId, clicks: Sequence[Click], result: CommitResult
    ) -> set[bytes]:
        """Publish the clicks in the outbox; return the hashes of clicks to retry."""
        by_batch: defaultdict[int, dict[bytes, Click]] = defaultdict(dict)
        for click in clicks:
            counted = result.counted.get(click_hash(click.id))
            if counted is not None and counted.batch:
                by_batch[counted.batch][counted.id] = click
        if self._event_bus is None or not by_batch:
            return set()
        try:
            outbox = self._load_outbox(campaign, by_batch, result)
        except StoreError as e:
            result.failure_reasons.add(str(e))
            return {hash_ for batch_clicks in by_batch.values() for hash_ in batch_clicks}
        failed: set[bytes] = set()
        for batch, unpublished in outbox.items():
            pending = {
                hash_: click for hash_, click in by_batch[batch].items() if hash_ in unpublished
            }
            published = self._publish_pending(self._event_bus, result, pending)
            failed |= set(pending) - published
            try:
                self._repository.update_outbox(campaign, batch, unpublished - published)
            except StoreError as e:
                result.failure_reasons.add(str(e))
                failed |= published  # retry them: the stored entry may still contain them
        return failed

    def _load_outbox(
        self, campaign: CampaignId, batches: Mapping[int, object], result: CommitResult
    ) -> dict[int, frozenset[bytes]]:
        earlier = [batch for batch in batches if batch not in result.outbox]
        stored = self._repository.get_outbox_entries(campaign, earlier) if earlier else {}
        return {**stored, **result.outbox}

    def _publish_pending(
        self, event_bus: ClickEventBus, result: CommitResult, pending: Mapping[bytes, Click]
    ) -> set[bytes]:
        if not pending:
            return set()
        clicks = [
            (click, _build_verdict(result.counted[hash_])) for hash_, click in pending.items()
        ]
        try:
            return {click_hash(id_) for id_ in event_bus.publish(clicks)}
        except StoreError as e:
            result.failure_reasons.add(str(e))
            return set()


def _build_verdict(click: CountedClick) -> BotVerdict:
    return build_verdict(BotSignal(click.signals), is_bot=click.is_bot)

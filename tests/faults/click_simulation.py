"""Simulate clicks from the request to the counters, with faults in every call.

The services are the handlers' own. The simulation plays Lambda (invocations, batches, retries,
redeliveries) in its worst form.
"""

from __future__ import annotations

import io
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from aws_lambda_powertools.logging import Logger

from tests.click_factory import CAMPAIGN, CHROME, FIREFOX, NOON, SAFARI, make_link_id
from tests.fakes import InMemoryShortLinkRepository, create_in_memory_repositories
from tests.faults.faulty_proxy import FaultyProxy, ProcessKilled, RandomFaults
from waypost.bot_detection.bursts import find_burst_signals
from waypost.bot_detection.scoring import (
    DEFAULT_BOT_THRESHOLD,
    BotVerdict,
    classify_click,
    compute_score,
)
from waypost.clicks.fallback_queue import serialize_click
from waypost.clicks.lambda_events import (
    build_batch_response,
    parse_queue_messages,
    parse_stream_records,
)
from waypost.clicks.request import RedirectEvent, parse_click_request
from waypost.clicks.settings_cache import SettingsCache
from waypost.errors import StoreError
from waypost.ids import extract_workspace_id
from waypost.maintenance.replay import replay_clicks
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.privacy.erasure import Erasure
from waypost.redirect.service import ClickOutcome, LinkResolver, RedirectService, TokenVerifier
from waypost.tally.service import LateClickRecorder, TallyService
from waypost.tokens import ClickToken, TokenSealer
from waypost.tokens.keyring import KeyringSource

KEYRING_RESPONSE = {"SecretString": json.dumps({"seed": "of the fault run, thirty-two or more"})}
AGENTS = [SAFARI, SAFARI, CHROME, CHROME, FIREFOX, "curl/8.9", ""]
LINK_NAMES = ["home", "shop", "blog", "help", "more", "\x00honeypot"]
_SIMULATION_NUMBERS = count()  # loggers of the same name share a stream
NETWORKS = ["3320", "6805", "7922", "16509"]


class FakeSecretsManager:
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return dict(KEYRING_RESPONSE)


class FakeQueue:
    """An SQS queue: messages are redelivered until they are deleted, and sometimes once more."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def send(self, click: Click) -> None:
        self.messages.append(serialize_click(click))


class FakeEventBus:
    """An event bus that rejects some events."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.published: Counter[str] = Counter()

    def publish(self, clicks: Sequence[tuple[Click, BotVerdict]]) -> set[str]:
        accepted_ids = {click.id for click, _ in clicks if self.random.random() > 0.02}
        self.published.update(accepted_ids)
        return accepted_ids


@dataclass
class Shard:
    """A shard of the clicks table's stream: records in order, and the position of the tally."""

    records: list[dict[str, Any]] = field(default_factory=list)
    position: int = 0


class FaultSimulation:
    """``stores`` are real repositories; the services reach them through faulty proxies."""

    def __init__(self, stores: Any, seed: int, *, rate: float, stream: list[Click]) -> None:
        self.random = Random(seed)
        self.repositories = stores
        self.stream = stream  # the stream of the clicks table, written by its repository
        self.faults = RandomFaults(self.random, rate)
        self.queue = FakeQueue()
        self.event_bus = FakeEventBus(self.random)
        self.log_stream = io.StringIO()
        self.shards = [Shard() for _ in range(4)]
        self.stream_position = 0
        self.click_ids: set[str] = set()
        self.outcomes: Counter[str] = Counter()
        self.to_erase: list[str] = []
        self.depth = 0
        before = ("timeout before", "throttled before")
        both = (*before, "timeout after")
        everywhere = (*both, "killed before", "killed after")
        self.clicks = FaultyProxy(
            stores.clicks, self.faults, "record", "anonymize", fault_kinds=everywhere
        )
        self.queue_client = FaultyProxy(self.queue, self.faults, "send", fault_kinds=both)
        self.recipients = FaultyProxy(
            stores.recipients,
            self.faults,
            *("get_rows", "get_overflow_items", "commit", "get_outbox_entries", "update_outbox"),
            fault_kinds=(*everywhere, "conflict before"),
        )
        self.recipients.before_call = self._run_concurrent_tally
        self.workspaces = FaultyProxy(
            stores.workspaces, self.faults, "get_opt_outs", "get_settings", fault_kinds=before
        )
        self.event_publisher = FaultyProxy(
            self.event_bus, self.faults, "publish", fault_kinds=everywhere
        )
        self.sealer = TokenSealer(self._create_keyring_source().get_keyring())
        self.redirect_service = RedirectService(
            token_verifier=TokenVerifier(self._create_keyring_source()),
            clicks=self.clicks,
            fallback_queue=self.queue_client,  # type: ignore[arg-type]
            settings_cache=SettingsCache(self.workspaces),
            link_resolver=LinkResolver(InMemoryShortLinkRepository()),
            retention_days=400,
            logger=Logger(service=f"faults-{next(_SIMULATION_NUMBERS)}", stream=self.log_stream),
        )

    def _create_keyring_source(self) -> KeyringSource:
        return KeyringSource(FakeSecretsManager(), "keyring")

    def create_tally(self) -> TallyService:
        """Create a tally, as a new Lambda process does."""
        return TallyService(
            clicks=self.clicks,
            recipients=self.recipients,
            workspaces=self.workspaces,
            event_bus=self.event_publisher,  # type: ignore[arg-type]
            sleep=lambda _: None,
        )

    def create_late_click_recorder(self) -> LateClickRecorder:
        """Create a recorder of queued and replayed clicks, as a new process does."""
        return LateClickRecorder(
            clicks=self.clicks, recipients=self.recipients, workspaces=self.workspaces
        )

    # -- redirect ---------------------------------------------------------------------------------

    def build_event(self, number: int, people: int) -> RedirectEvent:
        """Build a click's event; some are of a scanner, are HEAD requests, or have no person."""
        random = self.random
        scanner = random.random() < 0.1
        person = None if random.random() < 0.05 else f"p{int(people * random.random() ** 2)}"
        time = NOON + timedelta(milliseconds=number * 40 + random.randrange(20_000))
        token = ClickToken(
            link=make_link_id(
                random.choice(LINK_NAMES[:5] if random.random() < 0.98 else LINK_NAMES)
            ),
            delivery=f"d-{person or random.randrange(people)}",
            person=person,
            position=1,
            sent=int(time.timestamp()) - (2 if scanner else 3600),
            href="https://example.com/?a=1",
        )
        payload, _, signature = self.sealer.seal(token).partition("/")
        return {
            "headers": {
                "user-agent": random.choice(AGENTS),
                "x-amz-cf-id": f"request-{number:08}",
                "x-waypost-time": str(to_milliseconds(time)),
                "cloudfront-viewer-address": f"203.0.{random.randrange(9)}.7:443",
                "cloudfront-viewer-asn": random.choice(NETWORKS),
            },
            "pathParameters": {"payload": payload, "signature": signature},
            "requestContext": {
                "http": {
                    "method": "HEAD" if random.random() < 0.02 else "GET",
                    "sourceIp": "203.0.113.9",
                },
                "requestId": f"gateway-{random.random()}",
                "timeEpoch": to_milliseconds(time),
            },
        }

    def follow_link(self, event: RedirectEvent) -> None:
        """Follow a link until a response arrives: CloudFront repeats failed requests."""
        path = event["pathParameters"]
        request = parse_click_request(event, from_cloudfront=True)
        for _ in range(1 + (self.random.random() < 0.05)):
            while True:
                try:
                    result = self.redirect_service.handle_click(
                        f"{path['payload']}/{path['signature']}", request
                    )
                except ProcessKilled:
                    continue
                break
            assert result.location == "https://example.com/?a=1"
            self.outcomes[result.outcome] += 1
            if result.outcome is not ClickOutcome.NOT_A_CLICK:
                self.click_ids.add(request.id)

    # -- Lambda -----------------------------------------------------------------------------------

    def distribute_stream(self) -> None:
        """Add the inserted clicks to the shards of their partitions."""
        for click in self.stream[self.stream_position :]:
            number = sum(len(shard.records) for shard in self.shards)
            key = click.recipient.encode()
            self.shards[sum(key) % len(self.shards)].records.append(
                {
                    "eventName": "INSERT",
                    "dynamodb": {"SequenceNumber": f"{number:021}", "NewImage": click.to_item()},
                }
            )
        self.stream_position = len(self.stream)

    def run_tally_batch(self, shard: Shard) -> None:
        """Run one invocation of the tally: a batch of any size, from the last failure or a little
        earlier."""
        start = max(
            0, shard.position - (self.random.randrange(30) if self.random.random() < 0.1 else 0)
        )
        records = shard.records[start : start + self.random.randrange(1, 250)]
        if not records:
            return
        batch = parse_stream_records({"Records": records})  # type: ignore[typeddict-item]
        try:
            counted = self.create_tally().count_clicks(batch.clicks.values())
        except (StoreError, ProcessKilled):
            return
        failed = {
            failure["itemIdentifier"]
            for failure in build_batch_response(batch, counted.failed_ids)["batchItemFailures"]
        }
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        good = next((i for i, number in enumerate(numbers) if number in failed), len(numbers))
        shard.position = max(shard.position, start + good)

    def _run_concurrent_tally(self, method: str) -> None:
        """Run another shard's tally between the read and the write of rows."""
        if method == "commit" and not self.depth and self.random.random() < 0.2:
            self.depth += 1
            self.run_tally_batch(self.random.choice(self.shards))
            self.depth -= 1

    def run_drain_batch(self) -> None:
        """Deliver some messages, out of order; recorded ones may be redelivered."""
        self.random.shuffle(self.queue.messages)
        batch_bodies = self.queue.messages[: self.random.randrange(1, 50)]
        records = [{"messageId": str(i), "body": body} for i, body in enumerate(batch_bodies)]
        batch = parse_queue_messages({"Records": records})  # type: ignore[typeddict-item]
        try:
            late = self.create_late_click_recorder().record_clicks(batch.clicks.values())
        except ProcessKilled:
            return
        failed = late.failure_reasons
        deleted = [body for body in batch_bodies if json.loads(body)["id"] not in failed]
        redelivered = [body for body in deleted if self.random.random() < 0.05]
        remaining = [body for body in self.queue.messages if body not in set(deleted)]
        self.queue.messages = redelivered + remaining

    def erase_person(self, person: str) -> None:
        """Erase a person, repeated until it succeeds; later if the table is unavailable."""
        repositories = create_in_memory_repositories()
        repositories.clicks = self.clicks
        repositories.recipients = self.recipients
        repositories.workspaces = self.workspaces
        erasure = Erasure(repositories, scans_tables=True, sleep=lambda _: None)
        while not self.clicks.is_down:
            try:
                if erasure.erase(extract_workspace_id(CAMPAIGN), person, NOON).is_complete:
                    return
            except (StoreError, ProcessKilled):
                continue
        self.to_erase.append(person)

    # -- simulation -------------------------------------------------------------------------------

    def run(
        self, clicks: int, *, people: int, opt_outs: int = 0, stream_interval: int = 100
    ) -> None:
        """Simulate clicks; ``opt_outs`` people opt out and as many are erased.

        The stream is read after every ``stream_interval`` clicks.
        """
        dead_table = range(clicks // 4, clicks // 4 + clicks // 20)
        dead_queue = range(clicks // 4, clicks // 4 + clicks // 60)
        privacy_clicks = sorted(self.random.sample(range(clicks), 2 * opt_outs))
        for number in range(clicks):
            self.clicks.is_down = number in dead_table
            self.queue_client.is_down = number in dead_queue
            self.follow_link(self.build_event(number, people))
            if number % stream_interval == 0:
                self._run_consumers()
            if number in privacy_clicks:
                self._opt_out_or_erase(
                    f"p{self.random.randrange(people // 10)}", privacy_clicks.index(number) % 2
                )
        self.clicks.is_down = self.queue_client.is_down = False
        self.finish()

    def finish(self) -> None:
        """Process everything that is still logged, queued or in the stream."""
        for line in self.log_stream.getvalue().splitlines():
            self._replay_line(line)
        while self.queue.messages:
            self.run_drain_batch()
        for person in self.to_erase:
            self.erase_person(person)
        self.distribute_stream()
        while any(shard.position < len(shard.records) for shard in self.shards):
            for shard in self.shards:
                self.run_tally_batch(shard)
            self.distribute_stream()

    def _replay_line(self, line: str) -> None:
        while True:
            try:
                recorder = self.create_late_click_recorder()
                if not replay_clicks(line, recorder, self.create_tally()).failed:
                    return
            except ProcessKilled:
                continue

    def _run_consumers(self) -> None:
        self.distribute_stream()
        for shard in self.shards:
            self.run_tally_batch(shard)
        if self.queue.messages and self.random.random() < 0.3:
            self.run_drain_batch()

    def _opt_out_or_erase(self, person: str, erased: int) -> None:
        if erased:
            self.erase_person(person)
        else:
            self.repositories.workspaces.opt_out(extract_workspace_id(CAMPAIGN), person, NOON)


def compute_counters(clicks: Sequence[Click]) -> dict[tuple[str, str], int]:
    """Compute the expected counters of all clicks, without rows and batches."""
    figures: Counter[tuple[str, str]] = Counter()
    unique: defaultdict[tuple[str, str], set[object]] = defaultdict(set)
    by_recipient: defaultdict[str, list[Click]] = defaultdict(list)
    for click in clicks:
        by_recipient[click.recipient].append(click)
    for recipient, recipient_clicks in by_recipient.items():
        counted = [classify_click(click) for click in recipient_clicks]
        bursts = find_burst_signals(counted)
        for click, mark in zip(recipient_clicks, counted, strict=True):
            is_bot = compute_score(mark.signals | bursts.get(mark.id, 0)) >= DEFAULT_BOT_THRESHOLD
            for counter in ("total", f"link#{click.link}", f"hour#{click.time:%Y-%m-%dT%H}"):
                figures[counter, "machine" if is_bot else "human"] += 1
            for suffix in ("",) if is_bot else ("", "_human"):
                unique[f"link#{click.link}", f"people{suffix}"].add(recipient)
                unique["total", f"people{suffix}"].add(recipient)
                unique["total", f"deliveries{suffix}"].add((recipient, click.delivery))
                unique["total", f"opened{suffix}"].add((recipient, click.delivery))
    return {**figures, **{cell: len(values) for cell, values in unique.items()}}

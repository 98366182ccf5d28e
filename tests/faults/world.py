"""The whole way of a click, from the request to the counters, with everything in between breaking.

The handlers' work is done by the same domain calls; Lambda's part (invoking, cutting batches,
retrying, redelivering) is played here, at its most unkind.
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

from tests.clicks import CAMPAIGN, CHROME, FIREFOX, NOON, SAFARI, link
from tests.fakes import MemoryMessages, MemoryShortLinks
from tests.faults.faults import Faults, Faulty, Killed
from waypost.bot_detection.scoring import Verdict
from waypost.clicks.fallback_queue import drain, parked
from waypost.clicks.lambda_events import failures, read_messages, read_records
from waypost.clicks.request import HttpEvent, read_request
from waypost.clicks.settings_cache import Policies
from waypost.errors import StoreError
from waypost.ids import workspace_of
from waypost.maintenance.replay import replay
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.privacy.erasure import Erasing
from waypost.redirect.service import Kept, Lookup, Redirecting, Tokens
from waypost.tally.service import Tally
from waypost.tokens import ClickToken, Sealer
from waypost.tokens.keyring import KeyringSource

SECRET = {"SecretString": json.dumps({"seed": "of the fault run, thirty-two or more"})}
AGENTS = [SAFARI, SAFARI, CHROME, CHROME, FIREFOX, "curl/8.9", ""]
LINKS = ["home", "shop", "blog", "help", "more", "\x00honeypot"]
_WORLDS = count()  # loggers of one name share their stream
NETWORKS = ["3320", "6805", "7922", "16509"]


class Secrets:
    def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
        return dict(SECRET)


class Queue:
    """SQS: messages come back until they are deleted, and now and then once more."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def park(self, click: Click) -> None:
        self.messages.append(parked(click))


class Bus:
    """EventBridge: refuses some entries."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.told: Counter[str] = Counter()

    def tell(self, clicks: Sequence[tuple[Click, Verdict]]) -> set[str]:
        taken = {click.id for click, _ in clicks if self.random.random() > 0.02}
        self.told.update(taken)
        return taken


@dataclass
class Shard:
    """A shard of the ledger's stream: records in order, and how far they are done."""

    records: list[dict[str, Any]] = field(default_factory=list)
    done: int = 0


class World:
    """``stores`` are the true ones; everything here reaches them through what breaks."""

    def __init__(self, stores: Any, seed: int, *, rate: float, inserted: list[Click]) -> None:
        self.random = Random(seed)
        self.stores = stores
        self.inserted = inserted  # the ledger's stream, as its store writes it
        self.faults = Faults(self.random, rate)
        self.queue = Queue()
        self.bus = Bus(self.random)
        self.lines = io.StringIO()
        self.shards = [Shard() for _ in range(4)]
        self.streamed = 0
        self.made: set[str] = set()
        self.kept: Counter[str] = Counter()
        self.to_erase: list[str] = []
        self.depth = 0
        before = ("timeout before", "throttled before")
        both = (*before, "timeout after")
        everywhere = (*both, "killed before", "killed after")
        self.ledger = Faulty(stores.clicks, self.faults, "record", "anonymise", kinds=everywhere)
        self.parking = Faulty(self.queue, self.faults, "park", kinds=both)
        self.recipients = Faulty(
            stores.recipients,
            self.faults,
            *("rows", "sheets", "commit", "notices", "told"),
            kinds=(*everywhere, "conflict before"),
        )
        self.recipients.beside = self._another_tally
        self.workspaces = Faulty(
            stores.workspaces, self.faults, "opted_out", "settings", kinds=before
        )
        self.tell = Faulty(self.bus, self.faults, "tell", kinds=everywhere)
        self.sealer = Sealer(self._keys().current())
        self.redirecting = Redirecting(
            tokens=Tokens(self._keys()),
            ledger=self.ledger,
            parking=self.parking,
            policies=Policies(self.workspaces),
            lookup=Lookup(MemoryShortLinks()),
            retention_days=400,
            log=Logger(service=f"faults-{next(_WORLDS)}", stream=self.lines),
        )

    def _keys(self) -> KeyringSource:
        return KeyringSource(Secrets(), "keyring")

    def tally(self) -> Tally:
        """A tally as a container starts it."""
        return Tally(
            ledger=self.ledger,
            recipients=self.recipients,
            workspaces=self.workspaces,
            bus=self.tell,
            sleep=lambda _: None,
        )

    # -- clicking ---------------------------------------------------------------------------------

    def request(self, number: int, people: int) -> HttpEvent:
        """A click of somebody; now and then of a scanner, a HEAD, or no person at all."""
        random = self.random
        scanner = random.random() < 0.1
        person = None if random.random() < 0.05 else f"p{int(people * random.random() ** 2)}"
        time = NOON + timedelta(milliseconds=number * 40 + random.randrange(20_000))
        token = ClickToken(
            link=link(random.choice(LINKS[:5] if random.random() < 0.98 else LINKS)),
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
                    "userAgent": "",
                },
                "requestId": f"gateway-{random.random()}",
                "timeEpoch": to_milliseconds(time),
            },
        }

    def click(self, event: HttpEvent) -> None:
        """Follow a link until an answer comes: CloudFront repeats what broke off."""
        path = event["pathParameters"]
        request = read_request(event, through_front=True)
        for _ in range(1 + (self.random.random() < 0.05)):
            while True:
                try:
                    arrival = self.redirecting.follow(
                        f"{path['payload']}/{path['signature']}", request
                    )
                except Killed:
                    continue
                break
            assert arrival.href == "https://example.com/?a=1"
            self.kept[arrival.kept] += 1
            if arrival.kept is not Kept.NOT_A_CLICK:
                self.made.add(request.id)

    # -- what Lambda does -------------------------------------------------------------------------

    def stream_on(self) -> None:
        """Bring what the ledger inserted to the shard of its partition."""
        for click in self.inserted[self.streamed :]:
            number = sum(len(shard.records) for shard in self.shards)
            key = click.recipient.encode()
            self.shards[sum(key) % len(self.shards)].records.append(
                {
                    "eventName": "INSERT",
                    "dynamodb": {"SequenceNumber": f"{number:021}", "NewImage": click.to_item()},
                }
            )
        self.streamed = len(self.inserted)

    def deliver(self, shard: Shard) -> None:
        """One invocation of the tally: a batch of any size, beginning where the last one failed,
        or a little earlier."""
        start = max(
            0, shard.done - (self.random.randrange(30) if self.random.random() < 0.1 else 0)
        )
        records = shard.records[start : start + self.random.randrange(1, 250)]
        if not records:
            return
        batch = read_records({"Records": records})  # type: ignore[typeddict-item]
        try:
            counted = self.tally().count(batch.clicks.values())
        except (StoreError, Killed):
            return
        failed = {
            failure["itemIdentifier"]
            for failure in failures(batch, counted.failed)["batchItemFailures"]
        }
        numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
        good = next((i for i, number in enumerate(numbers) if number in failed), len(numbers))
        shard.done = max(shard.done, start + good)

    def _another_tally(self, method: str) -> None:
        """Between reading rows and writing them, another shard's tally runs."""
        if method == "commit" and not self.depth and self.random.random() < 0.2:
            self.depth += 1
            self.deliver(self.random.choice(self.shards))
            self.depth -= 1

    def drain(self) -> None:
        """Hand over some messages, out of order; those that were done may come again."""
        self.random.shuffle(self.queue.messages)
        taken = self.queue.messages[: self.random.randrange(1, 50)]
        records = [{"messageId": str(i), "body": body} for i, body in enumerate(taken)]
        batch = read_messages({"Records": records})  # type: ignore[typeddict-item]
        try:
            failed = drain(self.ledger, batch.clicks.values())
        except Killed:
            return
        done = [body for body in taken if json.loads(body)["id"] not in failed]
        again = [body for body in done if self.random.random() < 0.05]
        self.queue.messages = again + [m for m in self.queue.messages if m not in set(done)]

    def erase(self, person: str) -> None:
        """An operator erases somebody, as often as it takes; later, where the table is dead."""
        erasing = Erasing(
            self.ledger,
            self.recipients,
            self.workspaces,
            MemoryMessages(),
            sleep=lambda _: None,
        )
        while not self.ledger.dead:
            try:
                if erasing.erase(workspace_of(CAMPAIGN), person, NOON).clean:
                    return
            except (StoreError, Killed):
                continue
        self.to_erase.append(person)

    # -- the run ----------------------------------------------------------------------------------

    def run(self, clicks: int, *, people: int, leave: int = 0, pause: int = 100) -> None:
        """``leave``: how many people opt out, and as many are erased, on the way; ``pause``: after
        how many clicks the stream is read.
        """
        dead_table = range(clicks // 4, clicks // 4 + clicks // 20)
        dead_queue = range(clicks // 4, clicks // 4 + clicks // 60)
        going = sorted(self.random.sample(range(clicks), 2 * leave))
        for number in range(clicks):
            self.ledger.dead = number in dead_table
            self.parking.dead = number in dead_queue
            self.click(self.request(number, people))
            if number % pause == 0:
                self._work()
            if number in going:
                self._leave(f"p{self.random.randrange(people // 10)}", going.index(number) % 2)
        self.ledger.dead = self.parking.dead = False
        self.finish()

    def finish(self) -> None:
        """Let everything that waits come home."""
        for line in self.lines.getvalue().splitlines():
            self._replay(line)
        while self.queue.messages:
            self.drain()
        for person in self.to_erase:
            self.erase(person)
        self.stream_on()
        while any(shard.done < len(shard.records) for shard in self.shards):
            for shard in self.shards:
                self.deliver(shard)
            self.stream_on()

    def _replay(self, line: str) -> None:
        while True:
            try:
                if not replay(line, self.ledger, self.tally()).failed:
                    return
            except Killed:
                continue

    def _work(self) -> None:
        self.stream_on()
        for shard in self.shards:
            self.deliver(shard)
        if self.queue.messages and self.random.random() < 0.3:
            self.drain()

    def _leave(self, person: str, erased: int) -> None:
        if erased:
            self.erase(person)
        else:
            self.stores.workspaces.opt_out(workspace_of(CAMPAIGN), person, NOON)


def naive_figures(clicks: Sequence[Click]) -> dict[tuple[str, str], int]:
    """What the counters of a ledger ought to be, counted the simple way: no row, no batch."""
    from waypost.bot_detection.bursts import company_signals
    from waypost.bot_detection.scoring import THRESHOLD, mark_of, score

    figures: Counter[tuple[str, str]] = Counter()
    unique: defaultdict[tuple[str, str], set[object]] = defaultdict(set)
    by_recipient: defaultdict[str, list[Click]] = defaultdict(list)
    for click in clicks:
        by_recipient[click.recipient].append(click)
    for recipient, theirs in by_recipient.items():
        marks = [mark_of(click) for click in theirs]
        company = company_signals(marks)
        for click, mark in zip(theirs, marks, strict=True):
            machine = score(mark.signals | company.get(mark.id, 0)) >= THRESHOLD
            for counter in ("total", f"link#{click.link}", f"hour#{click.time:%Y-%m-%dT%H}"):
                figures[counter, "machine" if machine else "human"] += 1
            for kind in ("",) if machine else ("", "_human"):
                unique[f"link#{click.link}", f"people{kind}"].add(recipient)
                unique["total", f"people{kind}"].add(recipient)
                unique["total", f"deliveries{kind}"].add((recipient, click.delivery))
                unique["total", f"opened{kind}"].add((recipient, click.delivery))
    return {**figures, **{cell: len(who) for cell, who in unique.items()}}

"""How recipients are cut into batches, so that neither a payload nor its answer is too large."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from waypost.client.messages import Message, Recipient
from waypost.errors import InvalidRequest, TooLarge

PAYLOAD: Final = 6 * 1024 * 1024
"""Bytes of an invocation's payload, and of its answer: Lambda's limit."""
MOST: Final = 1000
"""Recipients of a batch, however small: keeps an invocation to seconds."""

_AROUND: Final = 64 * 1024
"""Bytes kept free for what stands around recipients and their messages."""


@dataclass(slots=True)
class Batch:
    """Some recipients, written already. ``start``: the place of the first among all."""

    start: int
    deliveries: list[str] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)

    def size(self) -> int:
        """Bytes that the recipients take in a payload."""
        return sum(map(len, self.written)) + len(self.written)

    def halves(self) -> tuple[Batch, Batch]:
        """The same recipients as two batches."""
        middle = len(self.written) // 2
        return (
            Batch(self.start, self.deliveries[:middle], self.written[:middle]),
            Batch(self.start + middle, self.deliveries[middle:], self.written[middle:]),
        )

    def payload(self, message: Message, run: str) -> bytes:
        """What is sent. Its idempotency key follows from the run's and the deliveries, so that a
        batch that is sent again, now or by a second run, counts once.
        """
        told = json.dumps([run, *self.deliveries])
        key = hashlib.sha256(told.encode()).hexdigest()
        head = written({**message, "idempotency_key": key}, "message")
        return head[:-1] + b',"recipients":[' + b",".join(self.written) + b"]}"


class Cutter:
    """Cuts recipients into batches for one message.

    ``most`` is how many a batch may hold, a guess from the message's size; whoever learns that
    an answer was too large lowers it for the batches that follow.

    :raises TooLarge: when the message leaves no room for recipients.
    :raises InvalidRequest: when something cannot be written as JSON.
    """

    def __init__(self, message: Message) -> None:
        size = len(written(message, "message"))
        content = len(written(message["content"], "content"))
        self.room = PAYLOAD - _AROUND - size
        self.most = max(1, min(MOST, (PAYLOAD - _AROUND) // (content * 3 // 2 + 256)))
        if self.room <= 0:
            raise TooLarge("content", size, PAYLOAD - _AROUND)

    def batches(self, recipients: Iterable[Recipient]) -> Iterator[Batch]:
        """All recipients, in their order; one that has no room anywhere is a batch by itself."""
        batch, size = Batch(0), 0
        for index, recipient in enumerate(recipients):
            text = written(recipient, f"recipients[{index}]")
            full = len(batch.written) >= self.most or size + len(text) + 1 > self.room
            if batch.written and full:
                yield batch
                batch, size = Batch(index), 0
            batch.deliveries.append(str(recipient.get("delivery")))
            batch.written.append(text)
            size += len(text) + 1
        if batch.written:
            yield batch


def written(value: Mapping[str, object] | Message | Recipient, name: str) -> bytes:
    """A value as JSON. Raises InvalidRequest, with this name for it, where it cannot be: NaN and
    infinities are no JSON either, and Lambda would refuse all that stands beside them.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which the function refuses by its field
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest.of(name, "cannot be written as JSON") from error

"""How recipients are cut into batches, so that neither a payload nor its answer is too large.

A value as JSON, or the field that keeps it from being written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from waypost.client.types import Message, Recipient
from waypost.errors import InvalidRequest, Problem, TooLarge

if TYPE_CHECKING:
    from waypost.rewrite.schemas import DeliveryFailure


_MAX_DEPTH: Final = 20
"""Of a path that is named; a value that holds itself has no end."""
_MAX_KEY_LENGTH: Final = 100

_ENCODE_ERRORS: Final = (TypeError, ValueError, RecursionError)


def encode_json(value: object, name: str) -> bytes:
    """A value as JSON. Raises InvalidRequest, with this name for it, where it cannot be: NaN and
    infinities are no JSON either, and Lambda would refuse all that stands beside them.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which the function refuses by its field
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except _ENCODE_ERRORS as error:
        raise InvalidRequest.from_field(name, "cannot be written as JSON") from error


def find_invalid_path(value: object, name: str) -> str:
    """The path of the innermost value that cannot be written, in a value of this name."""
    for _ in range(_MAX_DEPTH):
        for step, child in _iter_children(value):
            if not _is_json(child):
                value, name = child, name + step
                break
        else:
            break
    return name


def _iter_children(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(f".{str(key)[:_MAX_KEY_LENGTH]}", child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", child) for index, child in enumerate(value)]
    return ()


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except _ENCODE_ERRORS:
        return False
    return True


MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""Bytes of an invocation's payload, and of its answer: Lambda's limit."""
MAX_BATCH_RECIPIENTS: Final = 1000
"""Recipients of a batch, however small: keeps an invocation to seconds."""

_ENVELOPE_BYTES: Final = 64 * 1024
"""Bytes kept free for what stands around recipients and their messages."""

_RECIPIENT = re.compile(r"recipients\[(\d+)\]")
_MORE_PROBLEMS = re.compile(r"body: has [\d,]+ more problems")


@dataclass(slots=True)
class RecipientBatch:
    """Some recipients, written already, and those among them that are refused, by their places
    among all.
    """

    indexes: list[int] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    encoded: list[bytes] = field(default_factory=list)
    failures: dict[int, DeliveryFailure] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.encoded) + len(self.failures)

    def split(self) -> tuple[RecipientBatch, RecipientBatch]:
        """The same recipients as two batches."""
        middle = len(self.indexes) // 2
        first = {at: each for at, each in self.failures.items() if at < self.indexes[middle]}
        last = {at: each for at, each in self.failures.items() if at not in first}
        return self._select(range(middle), first), self._select(
            range(middle, len(self.indexes)), last
        )

    def exclude_failures(self, problems: Iterable[Problem]) -> RecipientBatch | None:
        """The batch with the recipients refused that problems are about, each for the first of
        them; None where one is about something else.
        """
        refused: dict[int, DeliveryFailure] = {}
        names = dict(zip(self.indexes, self.deliveries, strict=True))
        for problem in problems:
            if (match := _RECIPIENT.match(problem.field)) is not None:
                place = int(match[1])
                refused.setdefault(place, build_failure(names[place], problem))
            elif not _MORE_PROBLEMS.fullmatch(str(problem)):
                return None
        if not refused:
            return None
        kept = (at for at, place in enumerate(self.indexes) if place not in refused)
        return self._select(kept, self.failures | refused)

    def _select(
        self, selected: Iterable[int], failures: dict[int, DeliveryFailure]
    ) -> RecipientBatch:
        batch = RecipientBatch(failures=failures)
        for at in selected:
            batch.indexes.append(self.indexes[at])
            batch.deliveries.append(self.deliveries[at])
            batch.encoded.append(self.encoded[at])
        return batch

    def build_payload(self, message: Message, run_key: str) -> bytes:
        """What is sent. Its idempotency key follows from the run's and the deliveries, so that a
        batch that is sent again, now or by a second run, counts once.
        """
        told = json.dumps([run_key, *self.deliveries])
        key = hashlib.sha256(told.encode()).hexdigest()
        head = encode_json({**message, "idempotency_key": key}, "message")
        return head[:-1] + b',"recipients":[' + b",".join(self.encoded) + b"]}"


class RecipientBatcher:
    """Cuts recipients into batches for one message.

    ``most`` is how many a batch may hold, a guess from the message's size; whoever learns that
    an answer was too large lowers it for the batches that follow.

    :raises TooLarge: when the message leaves no room for recipients.
    :raises InvalidRequest: when the message cannot be written as JSON.
    """

    def __init__(self, message: Message) -> None:
        size = len(encode_json(message, "message"))
        content = len(encode_json(message["content"], "content"))
        self.free_bytes = MAX_PAYLOAD_BYTES - _ENVELOPE_BYTES - size
        self.max_recipients = max(
            1,
            min(
                MAX_BATCH_RECIPIENTS,
                (MAX_PAYLOAD_BYTES - _ENVELOPE_BYTES) // (content * 3 // 2 + 256),
            ),
        )
        if self.free_bytes <= 0:
            raise TooLarge("content", size, MAX_PAYLOAD_BYTES - _ENVELOPE_BYTES)

    def split_recipients(self, recipients: Iterable[Recipient]) -> Iterator[RecipientBatch]:
        """All recipients, in their order; refused are those that no payload can carry."""
        batch, size = RecipientBatch(), 0
        for place, recipient in enumerate(recipients):
            name, text = _delivery_name(recipient), self._encode_recipient(recipient, place)
            added = len(text) + 1 if isinstance(text, bytes) else 0
            if len(batch) and (len(batch) >= self.max_recipients or size + added > self.free_bytes):
                yield batch
                batch, size = RecipientBatch(), 0
            if isinstance(text, bytes):
                batch.indexes.append(place)
                batch.deliveries.append(name)
                batch.encoded.append(text)
            else:
                batch.failures[place] = build_failure(name, text)
            size += added
        if len(batch):
            yield batch

    def _encode_recipient(self, recipient: Recipient, index: int) -> bytes | Problem:
        name = f"recipients[{index}]"
        try:
            text = encode_json(recipient, name)
        except InvalidRequest as error:
            return Problem(find_invalid_path(recipient, name), error.problems[0].reason)
        if len(text) + 1 > self.free_bytes:
            return build_size_problem(TooLarge("data", len(text) + 1, self.free_bytes))
        return text


def build_failure(delivery: str, problem: Problem) -> DeliveryFailure:
    """What is told of a recipient without a message."""
    return {"delivery": delivery, "field": problem.field, "reason": problem.reason}


def build_size_problem(error: TooLarge) -> Problem:
    """The same error as what is wrong with one recipient."""
    return Problem(error.field, str(error).removeprefix(f"{error.field} "))


def _delivery_name(recipient: object) -> str:
    """A recipient's delivery; empty where it has none that is a name."""
    name = recipient.get("delivery") if isinstance(recipient, Mapping) else None
    return name if isinstance(name, str) else ""

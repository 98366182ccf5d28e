"""Divide recipients into batches, so that neither a payload nor its response is too large."""

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
"""Levels of a path in an error: a value that contains itself has no end."""
_MAX_KEY_LENGTH: Final = 100

_ENCODE_ERRORS: Final = (TypeError, ValueError, RecursionError)


def encode_json(value: object, name: str) -> bytes:
    """Encode a value as JSON.

    NaN and infinities are not JSON, and Lambda refuses a whole payload that has them.

    :raises InvalidRequest: naming the value, if it cannot be encoded.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:  # a lone surrogate, which the function refuses with its field
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except _ENCODE_ERRORS as error:
        raise InvalidRequest.from_field(name, "cannot be written as JSON") from error


def find_invalid_path(value: object, name: str) -> str:
    """Find the path of the innermost value that cannot be encoded."""
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
"""Bytes of an invocation's payload, and of its response: Lambda's limit."""
MAX_BATCH_RECIPIENTS: Final = 1000
"""Recipients of a batch: limits an invocation to seconds."""

_ENVELOPE_BYTES: Final = 64 * 1024
"""Bytes reserved for the payload around recipients and their messages."""

_RECIPIENT = re.compile(r"recipients\[(\d+)\]")
_MORE_PROBLEMS = re.compile(r"body: has [\d,]+ more problems")


@dataclass(slots=True)
class RecipientBatch:
    """Encoded recipients, and the failures of those that were refused.

    ``indexes`` and the keys of ``failures`` are positions among all recipients.
    """

    indexes: list[int] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    encoded: list[bytes] = field(default_factory=list)
    failures: dict[int, DeliveryFailure] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.encoded) + len(self.failures)

    def split(self) -> tuple[RecipientBatch, RecipientBatch]:
        """Split the batch in two."""
        middle = len(self.indexes) // 2
        failures = self.failures.items()
        first = {index: each for index, each in failures if index < self.indexes[middle]}
        last = {index: each for index, each in failures if index not in first}
        return self._select(range(middle), first), self._select(
            range(middle, len(self.indexes)), last
        )

    def exclude_failures(self, problems: Iterable[Problem]) -> RecipientBatch | None:
        """Exclude the recipients that have problems; None if a problem concerns something else.

        A recipient fails for its first problem.
        """
        failures: dict[int, DeliveryFailure] = {}
        names = dict(zip(self.indexes, self.deliveries, strict=True))
        for problem in problems:
            if (match := _RECIPIENT.match(problem.field)) is not None:
                index = int(match[1])
                failures.setdefault(index, build_failure(names[index], problem))
            elif not _MORE_PROBLEMS.fullmatch(str(problem)):
                return None
        if not failures:
            return None
        positions = (at for at, index in enumerate(self.indexes) if index not in failures)
        return self._select(positions, self.failures | failures)

    def _select(
        self, positions: Iterable[int], failures: dict[int, DeliveryFailure]
    ) -> RecipientBatch:
        batch = RecipientBatch(failures=failures)
        for at in positions:
            batch.indexes.append(self.indexes[at])
            batch.deliveries.append(self.deliveries[at])
            batch.encoded.append(self.encoded[at])
        return batch

    def build_payload(self, message: Message, run_key: str) -> bytes:
        """Build the payload of an invocation.

        Its idempotency key is derived from the run's and the deliveries: a retry of the batch, now
        or in a second run, counts once.
        """
        identity = json.dumps([run_key, *self.deliveries])
        key = hashlib.sha256(identity.encode()).hexdigest()
        head = encode_json({**message, "idempotency_key": key}, "message")
        return head[:-1] + b',"recipients":[' + b",".join(self.encoded) + b"]}"


class RecipientBatcher:
    """Divides recipients into batches for one message.

    ``max_recipients`` is estimated from the message's size; the caller lowers it after a response
    was too large.

    :raises TooLarge: if the message leaves no space for recipients.
    :raises InvalidRequest: if the message cannot be encoded as JSON.
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
        """Divide the recipients, in their order; one that fits into no payload is a failure."""
        batch, size = RecipientBatch(), 0
        for index, recipient in enumerate(recipients):
            name, encoded = _delivery_name(recipient), self._encode_recipient(recipient, index)
            added = len(encoded) + 1 if isinstance(encoded, bytes) else 0
            if len(batch) and (len(batch) >= self.max_recipients or size + added > self.free_bytes):
                yield batch
                batch, size = RecipientBatch(), 0
            if isinstance(encoded, bytes):
                batch.indexes.append(index)
                batch.deliveries.append(name)
                batch.encoded.append(encoded)
            else:
                batch.failures[index] = build_failure(name, encoded)
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
    """Build the failure of a recipient."""
    return {"delivery": delivery, "field": problem.field, "reason": problem.reason}


def build_size_problem(error: TooLarge) -> Problem:
    """Build the problem of one recipient from the error."""
    return Problem(error.field, str(error).removeprefix(f"{error.field} "))


def _delivery_name(recipient: object) -> str:
    """Return a recipient's delivery; empty if it is not a text."""
    name = recipient.get("delivery") if isinstance(recipient, Mapping) else None
    return name if isinstance(name, str) else ""

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
    from waypost.rewrite.schemas import Failure


_STEPS: Final = 20
"""Of a path that is named; a value that holds itself has no end."""
_LONGEST_NAME: Final = 100

_FAULTS: Final = (TypeError, ValueError, RecursionError)


def written(value: object, name: str) -> bytes:
    """A value as JSON. Raises InvalidRequest, with this name for it, where it cannot be: NaN and
    infinities are no JSON either, and Lambda would refuse all that stands beside them.
    """
    try:
        return json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which the function refuses by its field
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
    except _FAULTS as error:
        raise InvalidRequest.of(name, "cannot be written as JSON") from error


def at_fault(value: object, name: str) -> str:
    """The path of the innermost value that cannot be written, in a value of this name."""
    for _ in range(_STEPS):
        for step, child in _children(value):
            if not _can_be_written(child):
                value, name = child, name + step
                break
        else:
            break
    return name


def _children(value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        return [(f".{str(key)[:_LONGEST_NAME]}", child) for key, child in value.items()]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", child) for index, child in enumerate(value)]
    return ()


def _can_be_written(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except _FAULTS:
        return False
    return True


PAYLOAD: Final = 6 * 1024 * 1024
"""Bytes of an invocation's payload, and of its answer: Lambda's limit."""
MOST: Final = 1000
"""Recipients of a batch, however small: keeps an invocation to seconds."""

_AROUND: Final = 64 * 1024
"""Bytes kept free for what stands around recipients and their messages."""

_RECIPIENT = re.compile(r"recipients\[(\d+)\]")
_MORE = re.compile(r"body: has [\d,]+ more problems")


@dataclass(slots=True)
class Batch:
    """Some recipients, written already, and those among them that are refused, by their places
    among all.
    """

    places: list[int] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    written: list[bytes] = field(default_factory=list)
    refused: dict[int, Failure] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.written) + len(self.refused)

    def halves(self) -> tuple[Batch, Batch]:
        """The same recipients as two batches."""
        middle = len(self.places) // 2
        first = {at: each for at, each in self.refused.items() if at < self.places[middle]}
        last = {at: each for at, each in self.refused.items() if at not in first}
        return self._at(range(middle), first), self._at(range(middle, len(self.places)), last)

    def without(self, problems: Iterable[Problem]) -> Batch | None:
        """The batch with the recipients refused that problems are about, each for the first of
        them; None where one is about something else.
        """
        refused: dict[int, Failure] = {}
        names = dict(zip(self.places, self.deliveries, strict=True))
        for problem in problems:
            if (match := _RECIPIENT.match(problem.field)) is not None:
                place = int(match[1])
                refused.setdefault(place, failure(names[place], problem))
            elif not _MORE.fullmatch(str(problem)):
                return None
        if not refused:
            return None
        kept = (at for at, place in enumerate(self.places) if place not in refused)
        return self._at(kept, self.refused | refused)

    def _at(self, kept: Iterable[int], refused: dict[int, Failure]) -> Batch:
        batch = Batch(refused=refused)
        for at in kept:
            batch.places.append(self.places[at])
            batch.deliveries.append(self.deliveries[at])
            batch.written.append(self.written[at])
        return batch

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
    :raises InvalidRequest: when the message cannot be written as JSON.
    """

    def __init__(self, message: Message) -> None:
        size = len(written(message, "message"))
        content = len(written(message["content"], "content"))
        self.room = PAYLOAD - _AROUND - size
        self.most = max(1, min(MOST, (PAYLOAD - _AROUND) // (content * 3 // 2 + 256)))
        if self.room <= 0:
            raise TooLarge("content", size, PAYLOAD - _AROUND)

    def batches(self, recipients: Iterable[Recipient]) -> Iterator[Batch]:
        """All recipients, in their order; refused are those that no payload can carry."""
        batch, size = Batch(), 0
        for place, recipient in enumerate(recipients):
            name, text = _name(recipient), self._written(recipient, place)
            added = len(text) + 1 if isinstance(text, bytes) else 0
            if len(batch) and (len(batch) >= self.most or size + added > self.room):
                yield batch
                batch, size = Batch(), 0
            if isinstance(text, bytes):
                batch.places.append(place)
                batch.deliveries.append(name)
                batch.written.append(text)
            else:
                batch.refused[place] = failure(name, text)
            size += added
        if len(batch):
            yield batch

    def _written(self, recipient: Recipient, place: int) -> bytes | Problem:
        name = f"recipients[{place}]"
        try:
            text = written(recipient, name)
        except InvalidRequest as error:
            return Problem(at_fault(recipient, name), error.problems[0].reason)
        if len(text) + 1 > self.room:
            return too_large(TooLarge("data", len(text) + 1, self.room))
        return text


def failure(delivery: str, problem: Problem) -> Failure:
    """What is told of a recipient without a message."""
    return {"delivery": delivery, "field": problem.field, "reason": problem.reason}


def too_large(error: TooLarge) -> Problem:
    """The same error as what is wrong with one recipient."""
    return Problem(error.field, str(error).removeprefix(f"{error.field} "))


def _name(recipient: object) -> str:
    """A recipient's delivery; empty where it has none that is a name."""
    name = recipient.get("delivery") if isinstance(recipient, Mapping) else None
    return name if isinstance(name, str) else ""

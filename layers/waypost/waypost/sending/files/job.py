"""What a request comes down to: one message, and the lines of one version of its input."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from waypost.errors import Conflict, InvalidRequest, NotFound, Problem, TooLarge
from waypost.repositories.objects import ObjectState, ObjectStore, ObjectUrl
from waypost.rewrite.schemas import Message, message_from_json, message_from_value
from waypost.rewrite_files.input import LONGEST_LINE, Line, split
from waypost.rewrite_files.schemas import FileRequest


@dataclass(frozen=True, slots=True)
class Job:
    """``start``: where recipients begin, on the line with the number ``first``. ``version`` tells
    this input and message from any others.
    """

    message: Message
    source: ObjectUrl
    target: ObjectUrl
    state: ObjectState
    start: int
    first: int
    version: str
    seconds: int | None

    def lines(self, objects: ObjectStore, start: int) -> Iterator[Line]:
        """The lines from an offset on. Raises InvalidRequest where the input changed."""
        return split(_read(objects, self.source, self.state.version, start), start)


def job_of(asked: FileRequest, objects: ObjectStore) -> Job:
    """Read the message.

    :raises InvalidRequest: when it is not valid, or the input is not there.
    :raises TooLarge: when the message is over a limit.
    """
    try:
        state = objects.state(asked.source)
    except NotFound:
        told = "is not there, or the stack may not read it (its parameter FilesBucket)"
        raise InvalidRequest.of("input", told) from None
    told = json.dumps([state.version, asked.message], sort_keys=True)
    message, start, first = _message(asked, objects, state)
    return Job(
        message=message,
        source=asked.source,
        target=asked.target,
        state=state,
        start=start,
        first=first,
        version=hashlib.sha256(told.encode()).hexdigest()[:32],
        seconds=asked.seconds,
    )


def _message(
    asked: FileRequest, objects: ObjectStore, state: ObjectState
) -> tuple[Message, int, int]:
    """The message, where recipients begin, and on which line."""
    if asked.message is not None:
        return _given(asked.message), 0, 1
    lines = split(_read(objects, asked.source, state.version, 0), 0)
    head = next(lines, Line(b"", 0))
    if head.text is None:
        raise TooLarge("input", state.size, LONGEST_LINE)
    try:
        return message_from_json(head.text), head.end, 2
    except InvalidRequest as error:
        raise InvalidRequest(*map(_of_first_line, error.problems)) from None


def _given(message: object) -> Message:
    try:
        return message_from_value(message)
    except InvalidRequest as error:
        problems = (Problem(f"message.{each.field}", each.reason) for each in error.problems)
        raise InvalidRequest(*problems) from None


def _of_first_line(problem: Problem) -> Problem:
    if problem.field != "body":
        return problem
    return Problem("input", f"begins with a line that {problem.reason}, and no message")


def _read(objects: ObjectStore, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
    try:
        yield from objects.stream(url, version, start)
    except (Conflict, NotFound):
        told = "has changed while it was read; invoke again to begin anew"
        raise InvalidRequest.of("input", told) from None

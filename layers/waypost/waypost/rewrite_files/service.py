"""The use case: part by part, going on where it stopped.

Nothing is counted as sent before everything is written, and then once: before, nobody can read the
output. After every part what was done is noted, and whoever invokes again with the same body goes
on from there; after the end, they get the report again.

What a request comes down to: one message, and the lines of one version of its input.

Whether an invocation has time for another part.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from waypost.errors import Conflict, InvalidRequest, NotFound, Problem, TooLarge
from waypost.ids import campaign_code
from waypost.repositories.objects import ObjectState, ObjectStore, ObjectUrl
from waypost.rewrite.schemas import Message, message_from_json, message_from_value
from waypost.rewrite.service import Sending
from waypost.rewrite_files.input import LONGEST_LINE, Line, split
from waypost.rewrite_files.output import Notes, Output, Part, Progress, part, room
from waypost.rewrite_files.schemas import FileProgress, FileReport, FileRequest, Report


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


ENOUGH_SECONDS: Final = 60.0
"""What is left of an invocation, at least, when another part is begun."""
_MARGIN: Final = 1.5
"""How much longer than any before the next part may take."""


class Pace:
    """Watches how long parts take. ``remaining``: seconds left of the invocation; ``seconds``: how
    long it is to work, None for as long as it can.
    """

    def __init__(self, remaining: Callable[[], float], seconds: int | None) -> None:
        self._remaining = remaining
        self._seconds = seconds
        self._begun = self._before = remaining()
        self._longest = 0.0

    def has_time(self) -> bool:
        """To be asked after every part."""
        left = self._remaining()
        self._longest = max(self._longest, self._before - left)
        self._before = left
        worked = self._begun - left
        if self._seconds is not None and worked >= self._seconds:
            return False
        return left >= max(ENOUGH_SECONDS, self._longest * _MARGIN)


REHEARSED: Final = 10_000
"""Lines of a file that a dry run looks at."""


@dataclass(frozen=True, slots=True)
class FileRewriting:
    """``remaining``: seconds left of the invocation; ``note`` is told each part that was written,
    and how far the work is with it.
    """

    sending: Sending
    objects: ObjectStore
    remaining: Callable[[], float]
    note: Callable[[FileProgress, Part], None]

    def rewrite(self, asked: FileRequest) -> FileProgress | FileReport:
        """Do as much of the work as there is time for.

        :raises InvalidRequest: when message, input or output is not as it must be, or the input
            changed meanwhile.
        :raises TooLarge: when the message is over a limit.
        :raises Clash: when the output is somebody else's, or another invocation works on it.
        :raises StoreUnavailable: when a store fails; what was noted stays done.
        :raises Conflict: when another invocation came to its end meanwhile; ask again.
        """
        job = job_of(asked, self.objects)
        output = Output(self.objects, job.target, Notes(self.objects, job.target))
        noted = output.notes.read()
        if noted is not None and noted.version == job.version and not job.message.dry_run:
            return self._continued(job, output, output.notes.claim(noted))
        if (finished := output.finished(job.version)) is not None:
            return finished
        if job.message.dry_run:
            return self._rehearsed(job, output)
        sent = int(self.sending.now().timestamp())
        begun = Progress(job.version, output.begin(), sent, offset=job.start)
        return self._continued(job, output, output.notes.claim(begun))

    def _continued(self, job: Job, output: Output, progress: Progress) -> FileProgress | FileReport:
        report = Report(progress.report)
        lines = job.lines(self.objects, progress.offset)
        pace = Pace(self.remaining, job.seconds)
        while not progress.ended:
            progress = self._with_part(job, output, progress, lines, report)
            if not progress.ended and not pace.has_time():
                return _told(job, progress)
        return self._finished(job, output, progress, report)

    def _with_part(
        self, job: Job, output: Output, before: Progress, lines: Iterator[Line], report: Report
    ) -> Progress:
        """Write a part, note that it is done: in this order."""
        # One mailing a part: what is told of a part, and kept in memory, is its own.
        mailing = self.sending.mailing(job.message, datetime.fromtimestamp(before.sent, UTC))
        made = part(mailing, lines, before.offset, job.first + before.lines, room(before.claimed))
        tag = output.put(before, bytes(made.data)) if made.data or not before.parts else None
        report.add(mailing, made.failures)
        progress = before.with_part(made, tag, mailing.take_signed(), report.note())
        output.notes.write(progress)
        self.note(_told(job, progress), made)
        return progress

    def _finished(self, job: Job, output: Output, progress: Progress, report: Report) -> FileReport:
        """Count, hand over, tell: each step may have been done by an invocation before."""
        self.sending.campaigns.add_sent(
            campaign_code(job.message.workspace, job.message.campaign),
            progress.delivered,
            job.message.idempotency_key or f"{job.version} {job.target}",
            progress.signed,
        )
        output.complete(progress)
        told = _report(job, _told(job, progress), report)
        output.report(told)
        output.notes.drop()
        return told

    def _rehearsed(self, job: Job, output: Output) -> FileReport:
        """The report alone, on the first lines; nothing is signed, counted or put out."""
        mailing = self.sending.rehearsal(job.message, self.sending.now())
        lines = islice(job.lines(self.objects, job.start), REHEARSED)
        made = part(mailing, lines, job.start, job.first, sys.maxsize)
        report = Report()
        report.add(mailing, made.failures)
        progress = FileProgress(
            done=True,
            lines=made.lines,
            delivered=0,
            failed=made.failed,
            read=made.offset,
            size=job.state.size,
        )
        told = _report(job, progress, report)
        output.report(told)
        return told


def _told(job: Job, progress: Progress) -> FileProgress:
    return FileProgress(
        done=progress.ended,
        lines=progress.lines,
        delivered=progress.delivered,
        failed=progress.failed,
        read=progress.offset,
        size=job.state.size,
    )


def _report(job: Job, progress: FileProgress, report: Report) -> FileReport:
    return FileReport(
        **progress,
        version=job.version,
        dry_run=job.message.dry_run,
        failures=report.failures,
        **report.told(),
    )

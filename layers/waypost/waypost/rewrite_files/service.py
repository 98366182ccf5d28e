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

from waypost.errors import InvalidRequest, NotFound, Problem, TooLarge, WriteConflict
from waypost.ids import derive_campaign_id
from waypost.repositories.objects import ObjectState, ObjectStore, ObjectUrl
from waypost.rewrite.schemas import MessageRequest, parse_message_request, validate_message_request
from waypost.rewrite.service import RewriteService
from waypost.rewrite_files.input import MAX_LINE_BYTES, InputLine, split_lines
from waypost.rewrite_files.output import (
    CheckpointStore,
    FileCheckpoint,
    OutputFile,
    OutputPart,
    build_part,
    compute_part_size,
)
from waypost.rewrite_files.schemas import FileProgress, FileReport, FileReportBuilder, FileRequest


@dataclass(frozen=True, slots=True)
class FileJob:
    """``start``: where recipients begin, on the line with the number ``first``. ``version`` tells
    this input and message from any others.
    """

    message: MessageRequest
    source: ObjectUrl
    target: ObjectUrl
    object_state: ObjectState
    start_offset: int
    first_line: int
    version: str
    seconds: int | None

    def read_lines(self, objects: ObjectStore, offset: int) -> Iterator[InputLine]:
        """The lines from an offset on. Raises InvalidRequest where the input changed."""
        return split_lines(
            _stream_object(objects, self.source, self.object_state.version, offset), offset
        )


def load_job(request: FileRequest, objects: ObjectStore) -> FileJob:
    """Read the message.

    :raises InvalidRequest: when it is not valid, or the input is not there.
    :raises TooLarge: when the message is over a limit.
    """
    try:
        state = objects.get_state(request.source)
    except NotFound:
        told = "is not there, or the stack may not read it (its parameter FilesBucket)"
        raise InvalidRequest.from_field("input", told) from None
    told = json.dumps([state.version, request.message], sort_keys=True)
    message, start, first = _load_message(request, objects, state)
    return FileJob(
        message=message,
        source=request.source,
        target=request.target,
        object_state=state,
        start_offset=start,
        first_line=first,
        version=hashlib.sha256(told.encode()).hexdigest()[:32],
        seconds=request.seconds,
    )


def _load_message(
    request: FileRequest, objects: ObjectStore, state: ObjectState
) -> tuple[MessageRequest, int, int]:
    """The message, where recipients begin, and on which line."""
    if request.message is not None:
        return _validate_job_message(request.message), 0, 1
    lines = split_lines(_stream_object(objects, request.source, state.version, 0), 0)
    head = next(lines, InputLine(b"", 0))
    if head.text is None:
        raise TooLarge("input", state.size, MAX_LINE_BYTES)
    try:
        return parse_message_request(head.text), head.end, 2
    except InvalidRequest as error:
        raise InvalidRequest(*map(_describe_first_line, error.problems)) from None


def _validate_job_message(message: object) -> MessageRequest:
    try:
        return validate_message_request(message)
    except InvalidRequest as error:
        problems = (Problem(f"message.{each.field}", each.reason) for each in error.problems)
        raise InvalidRequest(*problems) from None


def _describe_first_line(problem: Problem) -> Problem:
    if problem.field != "body":
        return problem
    return Problem("input", f"begins with a line that {problem.reason}, and no message")


def _stream_object(
    objects: ObjectStore, url: ObjectUrl, version: str, start: int
) -> Iterator[bytes]:
    try:
        yield from objects.stream(url, version, start)
    except (WriteConflict, NotFound):
        told = "has changed while it was read; invoke again to begin anew"
        raise InvalidRequest.from_field("input", told) from None


MIN_REMAINING_SECONDS: Final = 60.0
"""What is left of an invocation, at least, when another part is begun."""
_SAFETY_FACTOR: Final = 1.5
"""How much longer than any before the next part may take."""


class TimeBudget:
    """Watches how long parts take. ``remaining``: seconds left of the invocation; ``seconds``: how
    long it is to work, None for as long as it can.
    """

    def __init__(self, remaining_seconds: Callable[[], float], seconds: int | None) -> None:
        self._remaining_seconds = remaining_seconds
        self._seconds = seconds
        self._initial_seconds = self._previous_seconds = remaining_seconds()
        self._longest_part = 0.0

    def has_time(self) -> bool:
        """To be asked after every part."""
        left = self._remaining_seconds()
        self._longest_part = max(self._longest_part, self._previous_seconds - left)
        self._previous_seconds = left
        worked = self._initial_seconds - left
        if self._seconds is not None and worked >= self._seconds:
            return False
        return left >= max(MIN_REMAINING_SECONDS, self._longest_part * _SAFETY_FACTOR)


DRY_RUN_LINES: Final = 10_000
"""Lines of a file that a dry run looks at."""


@dataclass(frozen=True, slots=True)
class FileRewriteService:
    """``remaining``: seconds left of the invocation; ``note`` is told each part that was written,
    and how far the work is with it.
    """

    rewrite_service: RewriteService
    object_store: ObjectStore
    remaining_seconds: Callable[[], float]
    report_part: Callable[[FileProgress, OutputPart], None]

    def rewrite_file(self, request: FileRequest) -> FileProgress | FileReport:
        """Do as much of the work as there is time for.

        :raises InvalidRequest: when message, input or output is not as it must be, or the input
            changed meanwhile.
        :raises TooLarge: when the message is over a limit.
        :raises Clash: when the output is somebody else's, or another invocation works on it.
        :raises StoreUnavailable: when a store fails; what was noted stays done.
        :raises Conflict: when another invocation came to its end meanwhile; ask again.
        """
        job = load_job(request, self.object_store)
        output = OutputFile(
            self.object_store, job.target, CheckpointStore(self.object_store, job.target)
        )
        noted = output.checkpoints.load()
        if noted is not None and noted.version == job.version and not job.message.dry_run:
            return self._continue_job(job, output, output.checkpoints.claim(noted))
        if (finished := output.load_report(job.version)) is not None:
            return finished
        if job.message.dry_run:
            return self._dry_run(job, output)
        sent = int(self.rewrite_service.now().timestamp())
        begun = FileCheckpoint(job.version, output.begin_upload(), sent, offset=job.start_offset)
        return self._continue_job(job, output, output.checkpoints.claim(begun))

    def _continue_job(
        self, job: FileJob, output: OutputFile, progress: FileCheckpoint
    ) -> FileProgress | FileReport:
        report = FileReportBuilder(progress.report)
        lines = job.read_lines(self.object_store, progress.offset)
        pace = TimeBudget(self.remaining_seconds, job.seconds)
        while not progress.ended:
            progress = self._write_part(job, output, progress, lines, report)
            if not progress.ended and not pace.has_time():
                return _build_progress(job, progress)
        return self._finish_job(job, output, progress, report)

    def _write_part(
        self,
        job: FileJob,
        output: OutputFile,
        checkpoint: FileCheckpoint,
        lines: Iterator[InputLine],
        report_builder: FileReportBuilder,
    ) -> FileCheckpoint:
        """Write a part, note that it is done: in this order."""
        # One mailing a part: what is told of a part, and kept in memory, is its own.
        mailing = self.rewrite_service.create_renderer(
            job.message, datetime.fromtimestamp(checkpoint.sent, UTC)
        )
        made = build_part(
            mailing,
            lines,
            checkpoint.offset,
            job.first_line + checkpoint.lines,
            compute_part_size(checkpoint.claimed),
        )
        tag = (
            output.write_part(checkpoint, bytes(made.data))
            if made.data or not checkpoint.parts
            else None
        )
        report_builder.add_part(mailing, made.failures)
        progress = checkpoint.with_part(
            made, tag, mailing.take_signature_counts(), report_builder.to_dict()
        )
        output.checkpoints.save(progress)
        self.report_part(_build_progress(job, progress), made)
        return progress

    def _finish_job(
        self, job: FileJob, output: OutputFile, progress: FileCheckpoint, report: FileReportBuilder
    ) -> FileReport:
        """Count, hand over, tell: each step may have been done by an invocation before."""
        self.rewrite_service.campaigns.add_deliveries(
            derive_campaign_id(job.message.workspace, job.message.campaign),
            progress.delivered,
            job.message.idempotency_key or f"{job.version} {job.target}",
            progress.signed,
        )
        output.complete_upload(progress)
        told = _build_report(job, _build_progress(job, progress), report)
        output.write_report(told)
        output.checkpoints.delete()
        return told

    def _dry_run(self, job: FileJob, output: OutputFile) -> FileReport:
        """The report alone, on the first lines; nothing is signed, counted or put out."""
        mailing = self.rewrite_service.create_dry_run_renderer(
            job.message, self.rewrite_service.now()
        )
        lines = islice(job.read_lines(self.object_store, job.start_offset), DRY_RUN_LINES)
        made = build_part(mailing, lines, job.start_offset, job.first_line, sys.maxsize)
        report = FileReportBuilder()
        report.add_part(mailing, made.failures)
        progress = FileProgress(
            done=True,
            lines=made.lines,
            delivered=0,
            failed=made.failed,
            read=made.offset,
            size=job.object_state.size,
        )
        told = _build_report(job, progress, report)
        output.write_report(told)
        return told


def _build_progress(job: FileJob, progress: FileCheckpoint) -> FileProgress:
    return FileProgress(
        done=progress.ended,
        lines=progress.lines,
        delivered=progress.delivered,
        failed=progress.failed,
        read=progress.offset,
        size=job.object_state.size,
    )


def _build_report(job: FileJob, progress: FileProgress, report: FileReportBuilder) -> FileReport:
    return FileReport(
        **progress,
        version=job.version,
        dry_run=job.message.dry_run,
        failures=report.failures,
        **report.build_summary(),
    )

"""Rewrite a message for a file of recipients, part by part, resuming from a checkpoint.

Deliveries are counted once, after all parts are written and before the output can be read. Each
part is followed by a checkpoint: another invocation with the same request continues from there,
and returns the report again once the output is complete.
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
from waypost.rewrite_files.workspace_folder import check_common_folder, check_workspace_folder

DRY_RUN_LINES: Final = 10_000
"""Lines of the input that a dry run reads."""
MIN_REMAINING_SECONDS: Final = 60.0
"""Seconds of the invocation that must remain to begin another part."""
_SAFETY_FACTOR: Final = 1.5
"""Factor by which the next part may take longer than the longest before."""


@dataclass(frozen=True, slots=True)
class FileRewriteService:
    """The use case for files.

    ``bucket`` is the stack's bucket of files, empty without one. ``remaining_seconds`` gives the
    time left of the invocation. ``report_part`` is called after each part is saved.
    """

    rewrite_service: RewriteService
    object_store: ObjectStore
    bucket: str
    remaining_seconds: Callable[[], float]
    report_part: Callable[[FileProgress, OutputPart], None]

    def rewrite_file(self, request: FileRequest) -> FileProgress | FileReport:
        """Rewrite as many parts as the invocation has time for.

        :raises InvalidRequest: if message, input or output is invalid, or the input changed, or a
            file is outside of the workspace's folder.
        :raises TooLarge: if the message exceeds a limit.
        :raises AlreadyExists: if the workspace's or campaign's id belongs to another name, the
            output or a file beside it is another request's, or another invocation works on it.
        :raises StoreUnavailable: if a store fails; saved parts stay saved.
        :raises WriteConflict: if another invocation finished meanwhile; retry.
        """
        job = load_job(request, self.object_store, self.bucket)
        self.rewrite_service.workspaces.resolve_id(job.message.workspace)
        output = OutputFile(
            self.object_store, job.target, CheckpointStore(self.object_store, job.target)
        )
        if job.message.dry_run:
            return output.load_report(job.version) or self._dry_run(job, output)
        checkpoint = output.checkpoints.load(job.request_digest, job.version)
        if checkpoint is not None and checkpoint.version == job.version:
            return self._continue_job(job, output, output.checkpoints.claim(checkpoint))
        if (report := output.load_report(job.version)) is not None:
            return report
        first = FileCheckpoint(
            version=job.version,
            upload=output.begin_upload(job.version),
            sent=int(self.rewrite_service.now().timestamp()),
            offset=job.start_offset,
            request=job.request_digest,
        )
        return self._continue_job(job, output, output.checkpoints.claim(first))

    def _continue_job(
        self, job: FileJob, output: OutputFile, checkpoint: FileCheckpoint
    ) -> FileProgress | FileReport:
        report = FileReportBuilder(checkpoint.report)
        lines = job.read_lines(self.object_store, checkpoint.offset)
        budget = TimeBudget(self.remaining_seconds, job.seconds)
        while not checkpoint.ended:
            checkpoint = self._write_part(job, output, checkpoint, lines, report)
            if not checkpoint.ended and not budget.has_time():
                return _build_progress(job, checkpoint)
        return self._finish_job(job, output, checkpoint, report)

    def _write_part(
        self,
        job: FileJob,
        output: OutputFile,
        checkpoint: FileCheckpoint,
        lines: Iterator[InputLine],
        report: FileReportBuilder,
    ) -> FileCheckpoint:
        """Write a part, then save the checkpoint: never the other way round."""
        # A renderer per part bounds its memory, and its report covers this part only.
        renderer = self.rewrite_service.create_renderer(
            job.message, datetime.fromtimestamp(checkpoint.sent, UTC)
        )
        part = build_part(
            renderer,
            lines,
            checkpoint.offset,
            job.first_line + checkpoint.lines,
            compute_part_size(checkpoint.claimed),
        )
        # S3 completes an upload of at least one part, even an empty one.
        is_needed = part.data or not checkpoint.parts
        tag = output.write_part(checkpoint, bytes(part.data)) if is_needed else None
        report.add_part(renderer, part.failures)
        checkpoint = checkpoint.with_part(
            part, tag, renderer.take_signature_counts(), report.to_dict()
        )
        output.checkpoints.save(checkpoint)
        self.report_part(_build_progress(job, checkpoint), part)
        return checkpoint

    def _finish_job(
        self,
        job: FileJob,
        output: OutputFile,
        checkpoint: FileCheckpoint,
        report_builder: FileReportBuilder,
    ) -> FileReport:
        """Count, complete and report; each step may repeat one of an earlier invocation."""
        is_complete = output.is_complete(job.version)  # a refused output counts nothing
        self.rewrite_service.campaigns.add_deliveries(
            derive_campaign_id(job.message.workspace, job.message.campaign),
            checkpoint.delivered,
            job.message.idempotency_key or f"{job.version} {job.target}",
            checkpoint.signed,
        )
        if not is_complete:
            output.complete_upload(checkpoint)
        report = _build_report(job, _build_progress(job, checkpoint), report_builder)
        output.write_report(report)
        output.checkpoints.delete()
        return report

    def _dry_run(self, job: FileJob, output: OutputFile) -> FileReport:
        """Write only the report, on the first lines; nothing is signed or counted."""
        renderer = self.rewrite_service.create_dry_run_renderer(
            job.message, self.rewrite_service.now()
        )
        lines = islice(job.read_lines(self.object_store, job.start_offset), DRY_RUN_LINES)
        part = build_part(renderer, lines, job.start_offset, job.first_line, sys.maxsize)
        report_builder = FileReportBuilder()
        report_builder.add_part(renderer, part.failures)
        progress = FileProgress(
            done=True,
            lines=part.lines,
            delivered=0,
            failed=part.failed,
            read=part.offset,
            size=job.object_state.size,
        )
        report = _build_report(job, progress, report_builder)
        output.write_report(report)
        return report


@dataclass(frozen=True, slots=True)
class FileJob:
    """One message and one version of its input.

    Recipients begin at ``start_offset``, on the line with the number ``first_line``. ``version``
    identifies this input and message, ``request_digest`` the input's address and the message of the
    request.
    """

    message: MessageRequest
    source: ObjectUrl
    target: ObjectUrl
    object_state: ObjectState
    start_offset: int
    first_line: int
    version: str
    request_digest: str
    seconds: int | None

    def read_lines(self, objects: ObjectStore, offset: int) -> Iterator[InputLine]:
        """Read the lines from an offset. Raises InvalidRequest if the input changed."""
        return split_lines(
            _stream_object(objects, self.source, self.object_state.version, offset), offset
        )


def load_job(request: FileRequest, objects: ObjectStore, bucket: str) -> FileJob:
    """Load the message and the state of the input, in the workspace's folder of the bucket.

    :raises InvalidRequest: if the message is invalid, a file is outside of the workspace's folder,
        or the input does not exist.
    :raises TooLarge: if the message exceeds a limit.
    """
    source, target = request.source, request.target
    if request.message is None:
        check_common_folder(source, target, bucket)
        state = _load_input_state(objects, source)
        message, start_offset, first_line = _read_message(objects, source, state)
        check_workspace_folder(source, target, bucket, message.workspace)
    else:
        message, start_offset, first_line = _validate_message(request.message), 0, 1
        check_workspace_folder(source, target, bucket, message.workspace)
        state = _load_input_state(objects, source)
    return FileJob(
        message=message,
        source=source,
        target=target,
        object_state=state,
        start_offset=start_offset,
        first_line=first_line,
        version=_compute_digest(state.version, request.message),
        request_digest=_compute_digest(str(source), request.message),
        seconds=request.seconds,
    )


def _compute_digest(*values: object) -> str:
    identity = json.dumps(values, sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def _load_input_state(objects: ObjectStore, source: ObjectUrl) -> ObjectState:
    try:
        return objects.get_state(source)
    except NotFound:
        reason = f"{source} does not exist, or the stack may not read it (parameter FilesBucket)"
        raise InvalidRequest.from_field("input", reason) from None


def _read_message(
    objects: ObjectStore, source: ObjectUrl, state: ObjectState
) -> tuple[MessageRequest, int, int]:
    """Read the message; return it with the offset and line number of the first recipient."""
    lines = split_lines(_stream_object(objects, source, state.version, 0), 0)
    first = next(lines, InputLine(b"", 0))
    if first.text is None:
        raise TooLarge("input", state.size, MAX_LINE_BYTES)
    try:
        return parse_message_request(first.text), first.end, 2
    except InvalidRequest as error:
        raise InvalidRequest(*map(_describe_first_line, error.problems)) from None


def _validate_message(message: object) -> MessageRequest:
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
        reason = "changed while it was read; invoke again to start over"
        raise InvalidRequest.from_field("input", reason) from None


class TimeBudget:
    """The time of an invocation, which must suffice for the next part.

    ``seconds`` limits how long the invocation works; None for as long as it can.
    """

    def __init__(self, remaining_seconds: Callable[[], float], seconds: int | None) -> None:
        self._remaining_seconds = remaining_seconds
        self._seconds = seconds
        self._initial_seconds = self._previous_seconds = remaining_seconds()
        self._longest_part = 0.0

    def has_time(self) -> bool:
        """Check the time for another part; call it after every part."""
        remaining = self._remaining_seconds()
        self._longest_part = max(self._longest_part, self._previous_seconds - remaining)
        self._previous_seconds = remaining
        if self._seconds is not None and self._initial_seconds - remaining >= self._seconds:
            return False
        return remaining >= max(MIN_REMAINING_SECONDS, self._longest_part * _SAFETY_FACTOR)


def _build_progress(job: FileJob, checkpoint: FileCheckpoint) -> FileProgress:
    return FileProgress(
        done=checkpoint.ended,
        lines=checkpoint.lines,
        delivered=checkpoint.delivered,
        failed=checkpoint.failed,
        read=checkpoint.offset,
        size=job.object_state.size,
    )


def _build_report(
    job: FileJob, progress: FileProgress, report_builder: FileReportBuilder
) -> FileReport:
    return FileReport(
        **progress,
        version=job.version,
        dry_run=job.message.dry_run,
        failures=report_builder.failures,
        **report_builder.build_summary(),
    )

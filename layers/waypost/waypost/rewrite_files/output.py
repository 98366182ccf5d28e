"""Write the output as an S3 multipart upload, with a checkpoint and a report beside it.

The checkpoint (``….progress``) is written after each part with optimistic locking: an invocation
that resumes the work claims it first, and the previous one stops at its next write. Every write is
conditional: a job replaces its own checkpoint and report, and the report of a dry run, but no other
file.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Final, cast

from waypost.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    TooLarge,
    WaypostError,
    WriteConflict,
)
from waypost.repositories.objects import ObjectContent, ObjectStore, ObjectUrl
from waypost.rewrite.renderer import RENDER_BATCH_SIZE, MessageRenderer
from waypost.rewrite.schemas import Delivery, DeliveryFailure, RewriteRecipient
from waypost.rewrite_files.input import InputLine, InvalidLine, parse_recipients
from waypost.rewrite_files.schemas import MAX_REPORT_FAILURES, FileReport
from waypost.rewrite_files.workspace_folder import CHECKPOINT_SUFFIX, REPORT_SUFFIX

MIN_PART_BYTES: Final = 8 * 1024 * 1024
"""Bytes at which one of the first parts is complete; S3 requires at least 5 MiB."""
MAX_UPLOAD_PARTS: Final = 10_000
"""Parts of one S3 object, at most."""

_REPORT_KEYS: Final = frozenset({"done", "dry_run", "failures", "links", "version", "warnings"})
"""Keys by which a report is told from another JSON file."""
_BUCKET_ERROR: Final = "the stack may not write to its bucket; check the parameter FilesBucket"
_UPLOAD_LOST: Final = "the upload was removed before it was complete; invoke again to start over"


def compute_part_size(number: int) -> int:
    """Compute the bytes at which a part is complete: parts grow, for 400 GB in all.

    :raises TooLarge: if S3 accepts no more parts.
    """
    if number > MAX_UPLOAD_PARTS:
        raise TooLarge(
            "output", MIN_PART_BYTES * MAX_UPLOAD_PARTS, MIN_PART_BYTES * MAX_UPLOAD_PARTS
        )
    return MIN_PART_BYTES * (1 + number // 1000)


@dataclass(slots=True)
class OutputPart:
    """Lines of the output. ``offset`` is the input's next byte, ``lines`` counts the input's."""

    offset: int
    data: bytearray = field(default_factory=bytearray)
    lines: int = 0
    delivered: int = 0
    failed: int = 0
    failures: list[DeliveryFailure | InvalidLine] = field(default_factory=list)
    is_last: bool = False
    """The input ended with this part."""

    def add_outcome(self, outcome: Delivery | DeliveryFailure | InvalidLine) -> None:
        text = json.dumps(outcome, ensure_ascii=False, separators=(",", ":"))
        self.data += text.encode() + b"\n"
        if "content" in outcome:
            self.delivered += 1
            return
        self.failed += 1
        if len(self.failures) < MAX_REPORT_FAILURES:
            self.failures.append(outcome)


def build_part(
    renderer: MessageRenderer, lines: Iterator[InputLine], offset: int, first_number: int, size: int
) -> OutputPart:
    """Render lines, numbered from ``first_number``, until a part is complete or they end.

    :raises StoreUnavailable: if links cannot be defined or stored.
    """
    part = OutputPart(offset)
    while len(part.data) < size:
        batch = list(islice(lines, RENDER_BATCH_SIZE))
        if not batch:
            part.is_last = True
            break
        for outcome in _render_lines(renderer, batch, first_number + part.lines):
            part.add_outcome(outcome)
        part.lines += len(batch)
        part.offset = batch[-1].end
    return part


def _render_lines(
    renderer: MessageRenderer, lines: Sequence[InputLine], first_number: int
) -> Iterator[Delivery | DeliveryFailure | InvalidLine]:
    parsed = list(parse_recipients(lines, first_number))
    outcomes = renderer.render_recipients(
        each for each in parsed if isinstance(each, RewriteRecipient)
    )
    if renderer.sealer is None:
        # A dry run has outcomes for failures only, so they cannot be paired with recipients.
        yield from (each for each in parsed if not isinstance(each, RewriteRecipient))
        yield from outcomes
        return
    for each in parsed:
        yield next(outcomes) if isinstance(each, RewriteRecipient) else each


@dataclass(frozen=True, slots=True)
class FileCheckpoint:
    """The state of the work after a part. Its fields are the stored JSON's: never rename them.

    ``version`` identifies input and message. ``sent`` is the time in all tokens, in seconds since
    1970. ``claimed`` is the highest part number that an invocation may have written. ``signed``
    counts links by the key's fingerprint. ``by`` is the invocation that wrote the checkpoint.
    ``request`` is the digest of the request that began the job: it may start over with a changed
    input. Releases until 1 December 2026 wrote none.
    """

    version: str
    upload: str
    sent: int
    claimed: int = 0
    offset: int = 0
    lines: int = 0
    delivered: int = 0
    failed: int = 0
    ended: bool = False
    signed: dict[str, int] = field(default_factory=dict)
    parts: list[tuple[int, str]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    by: str = ""
    request: str = ""

    def with_part(
        self,
        part: OutputPart,
        tag: str | None,
        signature_counts: Mapping[str, int],
        report: dict[str, Any],
    ) -> FileCheckpoint:
        """Add a part under the claimed number; an empty part has no ``tag``."""
        return replace(
            self,
            claimed=self.claimed + 1,
            offset=part.offset,
            lines=self.lines + part.lines,
            delivered=self.delivered + part.delivered,
            failed=self.failed + part.failed,
            ended=part.is_last,
            signed=dict(Counter(self.signed) + Counter(signature_counts)),
            parts=self.parts if tag is None else [*self.parts, (self.claimed, tag)],
            report=report,
        )


class CheckpointStore:
    """Stores the checkpoint of one output. All methods raise StoreUnavailable."""

    def __init__(self, objects: ObjectStore, target: ObjectUrl) -> None:
        self._objects = objects
        self._target = target
        self._url = target.with_suffix(CHECKPOINT_SUFFIX)
        self._version: str | None = None
        self._owner = secrets.token_hex(8)

    def load(self, request: str, version: str) -> FileCheckpoint | None:
        """Load the last checkpoint; None without one.

        ``request`` is the digest of the request, ``version`` that of input and message.

        :raises AlreadyExists: if the file is another request's, or this release cannot read it.
        """
        stored = read_unless_large(self._objects, self._url)
        if stored is None:
            return None
        checkpoint = _parse_checkpoint(stored.data)
        if checkpoint is None:
            reason = f"{self._url} is no progress that this release can read; delete it, or choose"
            raise AlreadyExists("output", str(self._target), f"{reason} another output")
        if request != checkpoint.request and version != checkpoint.version:
            reason = f"another request is writing it; wait, or delete {self._url} to end that job"
            raise AlreadyExists("output", str(self._target), reason)
        self._version = stored.version
        return checkpoint

    def claim(self, checkpoint: FileCheckpoint) -> FileCheckpoint:
        """Claim the work, with a part number under which no other invocation writes.

        :raises WriteConflict: if another invocation claimed or finished it since it was loaded.
        """
        claimed = replace(checkpoint, claimed=checkpoint.claimed + 1)
        self._replace(claimed)
        return claimed

    def save(self, checkpoint: FileCheckpoint) -> None:
        """Save the checkpoint.

        :raises AlreadyExists: if another invocation claimed the work.
        """
        try:
            self._replace(checkpoint)
        except WriteConflict:
            reason = "another invocation continues it"
            raise AlreadyExists("output", str(self._target), reason) from None

    def delete(self) -> None:
        """Delete the checkpoint that was saved last."""
        if self._version is not None:
            # After a conflict, the invocation that claimed the work deletes its own checkpoint.
            with suppress(NotFound, WriteConflict):
                self._objects.delete(self._url, self._version)

    def _replace(self, checkpoint: FileCheckpoint) -> None:
        data = json.dumps(asdict(checkpoint) | {"by": self._owner}).encode()
        self._version = replace_once(self._objects, self._url, data, self._version)


def _parse_checkpoint(data: bytes) -> FileCheckpoint | None:
    try:
        checkpoint = FileCheckpoint(**json.loads(data))
        return replace(checkpoint, parts=[(number, tag) for number, tag in checkpoint.parts])
    except (TypeError, ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class OutputFile:
    """The output object, with its report and checkpoint beside it."""

    objects: ObjectStore
    url: ObjectUrl
    checkpoints: CheckpointStore

    def load_report(self, version: str) -> FileReport | None:
        """Load the report of an output that is complete; None if there is no output.

        :raises AlreadyExists: if the output was made of another input or message, or its report
            would replace a file that is not the report of this job or of a dry run.
        """
        stored = read_unless_large(self.objects, self._report_url)
        report = _parse_report(stored.data) if stored else None
        if not self._exists():
            if stored is not None:
                self._check_replaceable(report, version)
            return None
        if report is None or report["version"] != version:
            reason = "exists already, and its report does not match this input and message"
            raise AlreadyExists("output", str(self.url), reason)
        return report

    def begin_upload(self, version: str) -> str:
        """Begin the upload and return its id. Raises InvalidRequest if the bucket refuses it."""
        try:
            return self.objects.create_upload(self.url, version)
        except NotFound:
            raise InvalidRequest.from_field("output", _BUCKET_ERROR) from None

    def write_part(self, checkpoint: FileCheckpoint, data: bytes) -> str:
        """Write a part under the claimed number and return its tag."""
        try:
            return self.objects.upload_part(self.url, checkpoint.upload, checkpoint.claimed, data)
        except NotFound:
            raise self._build_upload_error(checkpoint.version) from None

    def is_complete(self, version: str) -> bool:
        """Return True if this job completed the output.

        :raises AlreadyExists: if another job or program wrote the output, which ends this job.
        """
        try:
            state = self.objects.get_state(self.url)
        except NotFound:
            return False
        if state.job != version:
            self.checkpoints.delete()
            reason = "was written by another job or program meanwhile; choose another output"
            raise AlreadyExists("output", str(self.url), reason)
        return True

    def complete_upload(self, checkpoint: FileCheckpoint) -> None:
        """Complete the upload, unless an earlier invocation did.

        :raises AlreadyExists: if another job or program wrote the output meanwhile.
        :raises WriteConflict: if another output was written and deleted meanwhile; retry.
        """
        try:
            self.objects.complete_upload(self.url, checkpoint.upload, checkpoint.parts)
        except NotFound:
            if not self.is_complete(checkpoint.version):
                raise self._build_upload_error(checkpoint.version) from None
        except WriteConflict:
            if not self.is_complete(checkpoint.version):
                raise

    def write_report(self, report: FileReport) -> None:
        """Write the report.

        :raises AlreadyExists: if it would replace a file that is not the report of this job or of a
            dry run.
        :raises InvalidRequest: if the bucket refuses it.
        """
        data = json.dumps(report, ensure_ascii=False).encode()
        stored = read_unless_large(self.objects, self._report_url)
        if stored is not None:
            self._check_replaceable(_parse_report(stored.data), report["version"])
        try:
            replace_once(self.objects, self._report_url, data, stored.version if stored else None)
        except NotFound:
            raise InvalidRequest.from_field("output", _BUCKET_ERROR) from None

    @property
    def _report_url(self) -> ObjectUrl:
        return self.url.with_suffix(REPORT_SUFFIX)

    def _check_replaceable(self, report: FileReport | None, version: str) -> None:
        """Check the file in the place of the report; a dry run's report is only a preview."""
        if report is None or (report["version"] != version and not report["dry_run"]):
            reason = f"{self._report_url} exists already, and is neither this job's report nor a"
            raise AlreadyExists("output", str(self.url), f"{reason} dry run's; choose another name")

    def _exists(self) -> bool:
        try:
            self.objects.get_state(self.url)
        except NotFound:
            return False
        return True

    def _build_upload_error(self, version: str) -> WaypostError:
        """Build the error for an upload that ended: completed, or removed by a lifecycle rule."""
        if self.is_complete(version):
            return AlreadyExists("output", str(self.url), "another invocation completed it")
        self.checkpoints.delete()
        return InvalidRequest.from_field("output", _UPLOAD_LOST)


def _parse_report(data: bytes) -> FileReport | None:
    """Parse a report; None for any other file."""
    try:
        report = json.loads(data)
    except (ValueError, RecursionError):
        return None
    is_report = isinstance(report, dict) and report.keys() >= _REPORT_KEYS
    return cast("FileReport", report) if is_report else None


def read_unless_large(objects: ObjectStore, url: ObjectUrl) -> ObjectContent | None:
    """Read a checkpoint or report; an object that is too large for one has no bytes."""
    try:
        return objects.read(url)
    except TooLarge:
        return ObjectContent(b"", objects.get_state(url).version)


def replace_once(objects: ObjectStore, url: ObjectUrl, data: bytes, version: str | None) -> str:
    """Replace an object and return the new version; recognize a write whose response was lost.

    :raises WriteConflict: if another writer was first.
    """
    try:
        return objects.replace(url, data, version)
    except WriteConflict:
        stored = read_unless_large(objects, url)
        if stored is None or stored.data != data:
            raise
        return stored.version

"""Write the output as an S3 multipart upload, with a checkpoint and a report beside it.

The checkpoint (``….progress``) is written after each part with optimistic locking: an invocation
that resumes the work claims it first, and the previous one stops at its next write.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Final

from waypost.errors import (
    AlreadyExists,
    InvalidRequest,
    NotFound,
    TooLarge,
    WaypostError,
    WriteConflict,
)
from waypost.repositories.objects import ObjectStore, ObjectUrl
from waypost.rewrite.renderer import RENDER_BATCH_SIZE, MessageRenderer
from waypost.rewrite.schemas import Delivery, DeliveryFailure, RewriteRecipient
from waypost.rewrite_files.input import InputLine, InvalidLine, parse_recipients
from waypost.rewrite_files.schemas import MAX_REPORT_FAILURES, FileReport

MIN_PART_BYTES: Final = 8 * 1024 * 1024
"""Bytes at which one of the first parts is complete; S3 requires at least 5 MiB."""
MAX_UPLOAD_PARTS: Final = 10_000
"""Parts of one S3 object, at most."""

_BUCKET_ERROR: Final = "has no bucket that the stack may write to (its parameter FilesBucket)"
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
        self._url = target.with_suffix(".progress")
        self._version: str | None = None
        self._owner = secrets.token_hex(8)

    def load(self) -> FileCheckpoint | None:
        """Load the last checkpoint; None without one that this release can read."""
        stored = self._objects.read(self._url)
        if stored is None:
            return None
        self._version = stored.version
        try:
            checkpoint = FileCheckpoint(**json.loads(stored.data))
            return replace(checkpoint, parts=[(number, tag) for number, tag in checkpoint.parts])
        except (TypeError, ValueError):
            return None

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
        """Delete the checkpoint."""
        self._objects.delete(self._url)

    def _replace(self, checkpoint: FileCheckpoint) -> None:
        data = json.dumps(asdict(checkpoint) | {"by": self._owner}).encode()
        try:
            self._version = self._objects.replace(self._url, data, self._version)
        except WriteConflict:
            stored = self._objects.read(self._url)
            if stored is None or stored.data != data:
                raise
            self._version = stored.version  # this write succeeded, only its response was lost


@dataclass(frozen=True, slots=True)
class OutputFile:
    """The output object, with its report and checkpoint beside it."""

    objects: ObjectStore
    url: ObjectUrl
    checkpoints: CheckpointStore

    def load_report(self, version: str) -> FileReport | None:
        """Load the report of an output that is complete; None if there is no output.

        :raises AlreadyExists: if the output was made of another input or message.
        """
        if not self._exists():
            return None
        stored = self.objects.read(self._report_url)
        report: FileReport | None = json.loads(stored.data) if stored else None
        if report is None or report["version"] != version:
            reason = "exists already, and its report does not match this input and message"
            raise AlreadyExists("output", str(self.url), reason)
        return report

    def begin_upload(self) -> str:
        """Begin the upload and return its id. Raises InvalidRequest if the bucket refuses it."""
        try:
            return self.objects.create_upload(self.url)
        except NotFound:
            raise InvalidRequest.from_field("output", _BUCKET_ERROR) from None

    def write_part(self, checkpoint: FileCheckpoint, data: bytes) -> str:
        """Write a part under the claimed number and return its tag."""
        try:
            return self.objects.upload_part(self.url, checkpoint.upload, checkpoint.claimed, data)
        except NotFound:
            raise self._upload_error() from None

    def complete_upload(self, checkpoint: FileCheckpoint) -> None:
        """Complete the upload, unless an earlier invocation did."""
        try:
            self.objects.complete_upload(self.url, checkpoint.upload, checkpoint.parts)
        except NotFound:
            if not self._exists():
                raise self._upload_error() from None

    def write_report(self, report: FileReport) -> None:
        """Write the report. Raises InvalidRequest if the bucket refuses it."""
        try:
            self.objects.write(self._report_url, json.dumps(report, ensure_ascii=False).encode())
        except NotFound:
            raise InvalidRequest.from_field("output", _BUCKET_ERROR) from None

    @property
    def _report_url(self) -> ObjectUrl:
        return self.url.with_suffix(".report.json")

    def _exists(self) -> bool:
        try:
            self.objects.get_state(self.url)
        except NotFound:
            return False
        return True

    def _upload_error(self) -> WaypostError:
        """Build the error for an upload that ended: completed, or removed by a lifecycle rule."""
        if self._exists():
            return AlreadyExists("output", str(self.url), "another invocation completed it")
        self.checkpoints.delete()
        return InvalidRequest.from_field("output", _UPLOAD_LOST)

"""What was done, noted beside the output (``….progress``) after every part.

Only one invocation at a time can note anything: whoever goes on with the work claims it first, and
the one before finds its note changed and stops.

A part of the output: the messages of some recipients, as lines.

The output: begun, written in parts, completed, and never put in the place of another.
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
"""Bytes from which an early part is written; S3 takes 5 MiB at least."""
MAX_UPLOAD_PARTS: Final = 10_000
"""What S3 makes one object of."""


def compute_part_size(number: int) -> int:
    """Bytes from which a part is written: later ones are larger, for 400 GB in all.

    :raises TooLarge: when S3 takes no more parts.
    """
    if number > MAX_UPLOAD_PARTS:
        raise TooLarge(
            "output", MIN_PART_BYTES * MAX_UPLOAD_PARTS, MIN_PART_BYTES * MAX_UPLOAD_PARTS
        )
    return MIN_PART_BYTES * (1 + number // 1000)


@dataclass(slots=True)
class OutputPart:
    """Some lines of the output. ``offset``: where the input goes on after them; ``lines``: how many
    of the input they are; ``last``: whether it ended with them.
    """

    offset: int
    data: bytearray = field(default_factory=bytearray)
    lines: int = 0
    delivered: int = 0
    failed: int = 0
    failures: list[DeliveryFailure | InvalidLine] = field(default_factory=list)
    is_last: bool = False

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
    """As many lines as fill a part, or all that are left. ``first``: the number of the first.

    :raises StoreUnavailable: when links cannot be defined or stored.
    """
    made = OutputPart(offset)
    while len(made.data) < size:
        chunk = list(islice(lines, RENDER_BATCH_SIZE))
        if not chunk:
            made.is_last = True
            break
        for outcome in _render_lines(renderer, chunk, first_number + made.lines):
            made.add_outcome(outcome)
        made.lines += len(chunk)
        made.offset = chunk[-1].end
    return made


def _render_lines(
    renderer: MessageRenderer, lines: Sequence[InputLine], first_number: int
) -> Iterator[Delivery | DeliveryFailure | InvalidLine]:
    read = list(parse_recipients(lines, first_number))
    stamped = renderer.render_recipients(one for one in read if isinstance(one, RewriteRecipient))
    if renderer.sealer is None:
        # A rehearsal gives failures alone.
        yield from (one for one in read if not isinstance(one, RewriteRecipient))
        yield from stamped
        return
    for one in read:
        yield next(stamped) if isinstance(one, RewriteRecipient) else one


@dataclass(frozen=True, slots=True)
class FileCheckpoint:
    """The work as of the last part that was noted.

    ``version``: of input and message; ``sent``: the time that all tokens carry, in seconds since
    1970; ``claimed``: the last number of a part that anybody may have written; ``signed``: links
    by the fingerprint of the key; ``by``: who noted it.
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
        self, part: OutputPart, tag: str | None, signed: Mapping[str, int], report: dict[str, Any]
    ) -> FileCheckpoint:
        """The same, with a part that was written under the claimed number; without a tag, it was
        empty and was not.
        """
        return replace(
            self,
            claimed=self.claimed + 1,
            offset=part.offset,
            lines=self.lines + part.lines,
            delivered=self.delivered + part.delivered,
            failed=self.failed + part.failed,
            ended=part.is_last,
            signed=dict(Counter(self.signed) + Counter(signed)),
            parts=self.parts if tag is None else [*self.parts, (self.claimed, tag)],
            report=report,
        )


class CheckpointStore:
    """The note of one output. All methods raise StoreUnavailable."""

    def __init__(self, objects: ObjectStore, target: ObjectUrl) -> None:
        self._objects = objects
        self._target = target
        self._url = target.with_suffix(".progress")
        self._version: str | None = None
        self._owner = secrets.token_hex(8)

    def load(self) -> FileCheckpoint | None:
        """What was noted last; None where nothing was, or by other software."""
        found = self._objects.read(self._url)
        if found is None:
            return None
        self._version = found.version
        try:
            noted = FileCheckpoint(**json.loads(found.data))
            return replace(noted, parts=[(number, tag) for number, tag in noted.parts])
        except (TypeError, ValueError):
            return None

    def claim(self, progress: FileCheckpoint) -> FileCheckpoint:
        """Take the work over: with a part's number that nobody else writes under.

        :raises Conflict: when it went on, or came to its end, since it was read; read again.
        """
        claimed = replace(progress, claimed=progress.claimed + 1)
        self._replace(claimed)
        return claimed

    def save(self, progress: FileCheckpoint) -> None:
        """Note how far the work is.

        :raises Clash: when another invocation took it over.
        """
        try:
            self._replace(progress)
        except WriteConflict:
            told = "another invocation goes on with it"
            raise AlreadyExists("output", str(self._target), told) from None

    def delete(self) -> None:
        """Forget it."""
        self._objects.delete(self._url)

    def _replace(self, progress: FileCheckpoint) -> None:
        data = json.dumps(asdict(progress) | {"by": self._owner}).encode()
        try:
            self._version = self._objects.replace(self._url, data, self._version)
        except WriteConflict:
            found = self._objects.read(self._url)
            if found is None or found.data != data:
                raise
            self._version = found.version  # written by us, and only the answer got lost


_BUCKET_ERROR: Final = "has no bucket that the stack may write to (its parameter FilesBucket)"
_UPLOAD_LOST: Final = "was given up meanwhile; invoke again to begin anew"


@dataclass(frozen=True, slots=True)
class OutputFile:
    """An object that is made of parts, with its report and a note of progress beside it."""

    objects: ObjectStore
    url: ObjectUrl
    checkpoints: CheckpointStore

    def load_report(self, version: str) -> FileReport | None:
        """The report of an output that is there already; None where there is none.

        :raises Clash: when it was made of another input or message.
        """
        if not self._exists():
            return None
        kept = self.objects.read(self._report_url)
        told: FileReport | None = json.loads(kept.data) if kept else None
        if told is None or told["version"] != version:
            reason = "exists already, and no report says that it was made of this"
            raise AlreadyExists("output", str(self.url), reason)
        return told

    def begin_upload(self) -> str:
        """Begin an upload; gives its name. Raises InvalidRequest where none may be begun."""
        try:
            return self.objects.create_upload(self.url)
        except NotFound:
            raise InvalidRequest.from_field("output", _BUCKET_ERROR) from None

    def write_part(self, progress: FileCheckpoint, data: bytes) -> str:
        """Write a part under the number that is claimed; gives its tag."""
        try:
            return self.objects.upload_part(self.url, progress.upload, progress.claimed, data)
        except NotFound:
            raise self._upload_error() from None

    def complete_upload(self, progress: FileCheckpoint) -> None:
        """Make the object of its parts, unless that was done before."""
        try:
            self.objects.complete_upload(self.url, progress.upload, progress.parts)
        except NotFound:
            if not self._exists():
                raise self._upload_error() from None

    def write_report(self, report: FileReport) -> None:
        """Write the report. Raises InvalidRequest where nothing may be written."""
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
        """Why an upload is no more: it was completed, or a rule of the bucket ended it."""
        if self._exists():
            return AlreadyExists("output", str(self.url), "another invocation finished it")
        self.checkpoints.delete()
        return InvalidRequest.from_field("output", _UPLOAD_LOST)

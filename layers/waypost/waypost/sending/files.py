"""Rewrites a message for more recipients than an answer holds: from a file of lines to another.

The first line of the input is the message (a rewrite body without recipients), every other line a
recipient. The output has a line for each, in the same order: a delivery, or a failure and why.

The work is done in parts and goes on where it stopped: after every part what was done is noted
beside the output (``….progress``), and whoever invokes again with the same body continues. A part
that is written twice counts its deliveries once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Final, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict

from waypost.codes import campaign_code
from waypost.errors import Conflict, InvalidRequest, TooLarge
from waypost.rewriting import request
from waypost.sending.batches import Sending
from waypost.sending.mailing import CHUNK, Delivery, Failure, Mailing
from waypost.store.objects import ObjectStore, ObjectUrl
from waypost.validation import parsed

PART: Final = 8 * 1024 * 1024
"""Bytes of output from which a part is written; S3 takes 5 MiB at least, and 10,000 parts."""
LONGEST_LINE: Final = 6 * 1024 * 1024
ENOUGH_SECONDS: Final = 60.0
"""What is left of an invocation when it stops between two parts."""


def _object_url(text: str) -> str:
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket or not key:
        raise ValueError("must be s3://bucket/key")
    return text


class BulkRequest(BaseModel):
    """Where the lines come from, and where they go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Annotated[str, AfterValidator(_object_url)]
    output: Annotated[str, AfterValidator(_object_url)]


class BulkAnswer(TypedDict):
    """How far an invocation came. Not ``done``: invoke again with the same body."""

    done: bool
    lines: int
    delivered: int
    failed: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What was done, as of the last part that was written. ``offset``: bytes of input used up;
    ``sent``: the time that all tokens carry, in seconds since 1970.
    """

    version: str
    upload: str
    sent: int
    offset: int = 0
    lines: int = 0
    delivered: int = 0
    failed: int = 0
    tags: list[str] = field(default_factory=list)


class BadLine(TypedDict):
    """A line of the input that is no recipient. Lines count from 1, the message's own."""

    line: int
    delivery: None
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the output, and what of the input it covers."""

    data: bytes
    offset: int
    lines: int
    delivered: int
    failed: int
    last: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the input, and the offset of what follows it."""

    text: bytes
    end: int


@dataclass(frozen=True, slots=True)
class Bulk:
    """The use case. ``remaining``: seconds left of the invocation; ``note`` is told each part."""

    sending: Sending
    objects: ObjectStore
    remaining: Callable[[], float]
    note: Callable[[Progress], None]

    def rewrite(self, asked: BulkRequest) -> BulkAnswer:
        """Do as much of the work as there is time for.

        :raises InvalidRequest: when the message cannot be read, or the input changed meanwhile.
        :raises NotFound: when the input is not there.
        :raises StoreUnavailable: when a store fails; what was noted stays done.
        """
        source, target = _url(asked.input), _url(asked.output)
        progress = self._progress(source, target)
        try:
            return self._continued(source, target, progress)
        except Conflict:
            self.objects.delete(target.beside(".progress"))
            raise InvalidRequest.of("input", "has changed while it was read") from None

    def _progress(self, source: ObjectUrl, target: ObjectUrl) -> Progress:
        version = self.objects.version(source)
        noted = self.objects.read(target.beside(".progress"))
        if noted is not None:
            progress = Progress(**json.loads(noted))
            if progress.version == version:
                return progress
        now = int(self.sending.now().timestamp())
        progress = Progress(version, self.objects.begin(target), now)
        self._note(target, progress)  # before any part: its upload is part of what counts once
        return progress

    def _note(self, target: ObjectUrl, progress: Progress) -> None:
        self.objects.write(target.beside(".progress"), json.dumps(asdict(progress)).encode())

    def _continued(self, source: ObjectUrl, target: ObjectUrl, progress: Progress) -> BulkAnswer:
        head = next(self._lines(source, progress.version, 0), Line(b"", 0))
        message = request.message_from_json(head.text)
        mailing = self.sending.mailing(message, datetime.fromtimestamp(progress.sent, UTC))
        start = max(progress.offset, head.end)
        lines = self._lines(source, progress.version, start)
        while True:
            part = _part(mailing, lines, start, progress.lines)
            progress = self._kept(message, target, progress, part, mailing.take_signed())
            start = progress.offset
            if part.last:
                break
            if self.remaining() < ENOUGH_SECONDS:
                return _answer(progress, done=False)
        self.objects.complete(target, progress.upload, progress.tags)
        self.objects.delete(target.beside(".progress"))
        return _answer(progress, done=True)

    def _kept(
        self,
        message: request.Message,
        target: ObjectUrl,
        before: Progress,
        part: Part,
        signed: Mapping[str, int],
    ) -> Progress:
        """Write a part, count its deliveries, note that it is done: in this order."""
        number = len(before.tags) + 1
        tag = self.objects.put_part(target, before.upload, number, part.data)
        self.sending.campaigns.add_sent(
            campaign_code(message.workspace, message.campaign),
            part.delivered,
            f"{before.upload}#{number}",
            signed,
        )
        progress = replace(
            before,
            offset=part.offset,
            lines=before.lines + part.lines,
            delivered=before.delivered + part.delivered,
            failed=before.failed + part.failed,
            tags=[*before.tags, tag],
        )
        self._note(target, progress)
        self.note(progress)
        return progress

    def _lines(self, source: ObjectUrl, version: str, start: int) -> Iterator[Line]:
        rest, end = b"", start
        for chunk in self.objects.stream(source, version, start):
            *whole, rest = (rest + chunk).split(b"\n")
            for text in whole:
                end += len(text) + 1
                yield Line(text, end)
            if len(rest) > LONGEST_LINE:
                raise TooLarge("input", len(rest), LONGEST_LINE)
        if rest:
            yield Line(rest, end + len(rest))


def _part(mailing: Mailing, lines: Iterator[Line], offset: int, before: int) -> Part:
    """The next part: as many lines as fill it, or all that are left."""
    data = bytearray()
    count = delivered = failed = 0
    while len(data) < PART:
        chunk = list(islice(lines, CHUNK))
        if not chunk:
            return Part(bytes(data), offset, count, delivered, failed, last=True)
        for outcome in _outcomes(mailing, chunk, before + count):
            data += json.dumps(outcome, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            delivered += "content" in outcome
            failed += "reason" in outcome
        count += len(chunk)
        offset = chunk[-1].end
    return Part(bytes(data), offset, count, delivered, failed, last=False)


def _outcomes(
    mailing: Mailing, lines: Sequence[Line], before: int
) -> Iterator[Delivery | Failure | BadLine]:
    read = [_recipient(line, number) for number, line in enumerate(lines, before + 2) if line.text]
    stamped = mailing.stamp(one for one in read if isinstance(one, request.Recipient))
    for one in read:
        yield next(stamped) if isinstance(one, request.Recipient) else one


def _recipient(line: Line, number: int) -> request.Recipient | BadLine:
    try:
        return parsed(request.Recipient, line.text)
    except InvalidRequest as error:
        problem = error.problems[0]
        return BadLine(line=number, delivery=None, field=problem.field, reason=problem.reason)


def _answer(progress: Progress, *, done: bool) -> BulkAnswer:
    return BulkAnswer(
        done=done, lines=progress.lines, delivered=progress.delivered, failed=progress.failed
    )


def _url(text: str) -> ObjectUrl:
    bucket, _, key = text.removeprefix("s3://").partition("/")
    return ObjectUrl(bucket, key)

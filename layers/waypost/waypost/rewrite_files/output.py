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

from waypost.errors import Clash, Conflict, InvalidRequest, NotFound, TooLarge, WaypostError
from waypost.repositories.objects import ObjectStore, ObjectUrl
from waypost.rewrite.renderer import CHUNK, Mailing
from waypost.rewrite.schemas import Delivery, Failure, Recipient
from waypost.rewrite_files.input import BadLine, Line, recipients
from waypost.rewrite_files.schemas import MOST_FAILURES, FileReport

PART: Final = 8 * 1024 * 1024
"""Bytes from which an early part is written; S3 takes 5 MiB at least."""
MOST_PARTS: Final = 10_000
"""What S3 makes one object of."""


def room(number: int) -> int:
    """Bytes from which a part is written: later ones are larger, for 400 GB in all.

    :raises TooLarge: when S3 takes no more parts.
    """
    if number > MOST_PARTS:
        raise TooLarge("output", PART * MOST_PARTS, PART * MOST_PARTS)
    return PART * (1 + number // 1000)


@dataclass(slots=True)
class Part:
    """Some lines of the output. ``offset``: where the input goes on after them; ``lines``: how many
    of the input they are; ``last``: whether it ended with them.
    """

    offset: int
    data: bytearray = field(default_factory=bytearray)
    lines: int = 0
    delivered: int = 0
    failed: int = 0
    failures: list[Failure | BadLine] = field(default_factory=list)
    last: bool = False

    def add(self, outcome: Delivery | Failure | BadLine) -> None:
        text = json.dumps(outcome, ensure_ascii=False, separators=(",", ":"))
        self.data += text.encode() + b"\n"
        if "content" in outcome:
            self.delivered += 1
            return
        self.failed += 1
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(outcome)


def part(mailing: Mailing, lines: Iterator[Line], offset: int, first: int, room: int) -> Part:
    """As many lines as fill a part, or all that are left. ``first``: the number of the first.

    :raises StoreUnavailable: when links cannot be defined or stored.
    """
    made = Part(offset)
    while len(made.data) < room:
        chunk = list(islice(lines, CHUNK))
        if not chunk:
            made.last = True
            break
        for outcome in _outcomes(mailing, chunk, first + made.lines):
            made.add(outcome)
        made.lines += len(chunk)
        made.offset = chunk[-1].end
    return made


def _outcomes(
    mailing: Mailing, lines: Sequence[Line], first: int
) -> Iterator[Delivery | Failure | BadLine]:
    read = list(recipients(lines, first))
    stamped = mailing.stamp(one for one in read if isinstance(one, Recipient))
    if mailing.sealer is None:
        # A rehearsal gives failures alone.
        yield from (one for one in read if not isinstance(one, Recipient))
        yield from stamped
        return
    for one in read:
        yield next(stamped) if isinstance(one, Recipient) else one


@dataclass(frozen=True, slots=True)
class Progress:
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
        self, part: Part, tag: str | None, signed: Mapping[str, int], report: dict[str, Any]
    ) -> Progress:
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
            ended=part.last,
            signed=dict(Counter(self.signed) + Counter(signed)),
            parts=self.parts if tag is None else [*self.parts, (self.claimed, tag)],
            report=report,
        )


class Notes:
    """The note of one output. All methods raise StoreUnavailable."""

    def __init__(self, objects: ObjectStore, target: ObjectUrl) -> None:
        self._objects = objects
        self._target = target
        self._url = target.beside(".progress")
        self._version: str | None = None
        self._by = secrets.token_hex(8)

    def read(self) -> Progress | None:
        """What was noted last; None where nothing was, or by other software."""
        found = self._objects.read(self._url)
        if found is None:
            return None
        self._version = found.version
        try:
            noted = Progress(**json.loads(found.data))
            return replace(noted, parts=[(number, tag) for number, tag in noted.parts])
        except (TypeError, ValueError):
            return None

    def claim(self, progress: Progress) -> Progress:
        """Take the work over: with a part's number that nobody else writes under.

        :raises Conflict: when it went on, or came to its end, since it was read; read again.
        """
        claimed = replace(progress, claimed=progress.claimed + 1)
        self._replace(claimed)
        return claimed

    def write(self, progress: Progress) -> None:
        """Note how far the work is.

        :raises Clash: when another invocation took it over.
        """
        try:
            self._replace(progress)
        except Conflict:
            told = "another invocation goes on with it"
            raise Clash("output", str(self._target), told) from None

    def drop(self) -> None:
        """Forget it."""
        self._objects.delete(self._url)

    def _replace(self, progress: Progress) -> None:
        data = json.dumps(asdict(progress) | {"by": self._by}).encode()
        try:
            self._version = self._objects.replace(self._url, data, self._version)
        except Conflict:
            found = self._objects.read(self._url)
            if found is None or found.data != data:
                raise
            self._version = found.version  # written by us, and only the answer got lost


_REFUSED: Final = "has no bucket that the stack may write to (its parameter FilesBucket)"
_GIVEN_UP: Final = "was given up meanwhile; invoke again to begin anew"


@dataclass(frozen=True, slots=True)
class Output:
    """An object that is made of parts, with its report and a note of progress beside it."""

    objects: ObjectStore
    url: ObjectUrl
    notes: Notes

    def finished(self, version: str) -> FileReport | None:
        """The report of an output that is there already; None where there is none.

        :raises Clash: when it was made of another input or message.
        """
        if not self._exists():
            return None
        kept = self.objects.read(self._report)
        told: FileReport | None = json.loads(kept.data) if kept else None
        if told is None or told["version"] != version:
            reason = "exists already, and no report says that it was made of this"
            raise Clash("output", str(self.url), reason)
        return told

    def begin(self) -> str:
        """Begin an upload; gives its name. Raises InvalidRequest where none may be begun."""
        try:
            return self.objects.begin(self.url)
        except NotFound:
            raise InvalidRequest.of("output", _REFUSED) from None

    def put(self, progress: Progress, data: bytes) -> str:
        """Write a part under the number that is claimed; gives its tag."""
        try:
            return self.objects.put_part(self.url, progress.upload, progress.claimed, data)
        except NotFound:
            raise self._ended() from None

    def complete(self, progress: Progress) -> None:
        """Make the object of its parts, unless that was done before."""
        try:
            self.objects.complete(self.url, progress.upload, progress.parts)
        except NotFound:
            if not self._exists():
                raise self._ended() from None

    def report(self, told: FileReport) -> None:
        """Write the report. Raises InvalidRequest where nothing may be written."""
        try:
            self.objects.write(self._report, json.dumps(told, ensure_ascii=False).encode())
        except NotFound:
            raise InvalidRequest.of("output", _REFUSED) from None

    @property
    def _report(self) -> ObjectUrl:
        return self.url.beside(".report.json")

    def _exists(self) -> bool:
        try:
            self.objects.state(self.url)
        except NotFound:
            return False
        return True

    def _ended(self) -> WaypostError:
        """Why an upload is no more: it was completed, or a rule of the bucket ended it."""
        if self._exists():
            return Clash("output", str(self.url), "another invocation finished it")
        self.notes.drop()
        return InvalidRequest.of("output", _GIVEN_UP)

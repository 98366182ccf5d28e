"""What was done, noted beside the output (``….progress``) after every part.

Only one invocation at a time can note anything: whoever goes on with the work claims it first, and
the one before finds its note changed and stops.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from waypost.errors import Clash, Conflict
from waypost.repositories.objects import ObjectStore, ObjectUrl
from waypost.sending.files.parts import Part


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

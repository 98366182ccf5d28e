"""The output: begun, written in parts, completed, and never put in the place of another."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from waypost.errors import Clash, InvalidRequest, NotFound, WaypostError
from waypost.repositories.objects import ObjectStore, ObjectUrl
from waypost.rewrite_files.output import Notes, Progress
from waypost.rewrite_files.schemas import FileReport

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

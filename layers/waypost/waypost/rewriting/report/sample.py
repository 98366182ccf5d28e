"""One recipient's message, who stands for all: what its links lead to, and how long they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from waypost.models.short_link import CODE_LENGTH
from waypost.rewrite.compiler import PlannedText
from waypost.rewrite.link_writer import Codes, Prepared, Start, joined, packed, written
from waypost.rewrite.links.channels import Path
from waypost.rewrite.url_parameters import Query
from waypost.rewriting.plan import Plan, Slot
from waypost.tokens import ClickToken
from waypost.tokens.codec import decode, recipient_part
from waypost.tokens.destination import with_person
from waypost.tokens.signer import SIGNATURE_BYTES


@dataclass(frozen=True, slots=True)
class Seen:
    """A link as one recipient gets it."""

    identity: str
    destination: str
    round_trip: bool | None
    characters: int
    bytes_added: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One recipient, for whose message everything is looked at."""

    delivery: str
    person: str | None
    sent: int
    query: Query
    texts: list[PlannedText]
    short: bool = False
    """Whether its links are short ones."""

    def seen(self, codes: Codes, start: Start) -> dict[int, Seen]:
        """The links that are rewritten, by position. Signs nothing."""
        return {
            slot.link.position: self._tracked(slot, codes, start)
            if slot.link.verdict.tracked
            else self._extended(slot)
            for text in self.texts
            for slot in (*text.plan.tracked, *text.plan.extended)
        }

    def preview(self, seen: Mapping[int, Seen]) -> dict[Path, str]:
        """The texts as long as they will be, with fillers where links will stand."""
        return {text.path: _filled(text.plan, seen) for text in self.texts}

    def _tracked(self, slot: Slot, codes: Codes, start: Start) -> Seen:
        destination = slot.link.verdict.destination
        if slot.link.verdict.parameters:
            destination = self.query.added_to(slot.destination, self.person)
        prepared = packed(slot, codes, self.query, known=self.person is not None)
        payload = recipient_part(self.delivery, self.person, self.sent) + prepared.link
        begun = len(start(slot.link.verdict.destination))
        token = _base64_length(len(payload)) + 1 + _base64_length(SIGNATURE_BYTES)
        characters = begun + (CODE_LENGTH if self.short else token)
        return Seen(
            identity=slot.link.identity,
            destination=destination,
            round_trip=self._leads_to(decode(payload), prepared) == destination,
            characters=characters,
            bytes_added=characters - len(slot.original.encode()),
        )

    def _leads_to(self, token: ClickToken, prepared: Prepared) -> str:
        if token.stored is None or prepared.stored is None:
            return token.href
        same = token.stored == prepared.stored.digest
        return with_person(prepared.stored.href, self.person) if same else ""

    def _extended(self, slot: Slot) -> Seen:
        destination = self.query.without_identity(slot.destination)
        text = written(slot, self.query)
        added = len(text.encode()) - len(slot.original.encode())
        return Seen(slot.link.identity, destination, None, len(text), added)


def _filled(plan: Plan, seen: Mapping[int, Seen]) -> str:
    segments = plan.segments.copy()
    for slot in (*plan.tracked, *plan.extended):
        segments[slot.at] = slot.transfer("x" * seen[slot.link.position].characters)
    return joined(segments, plan.encoded)


def _base64_length(size: int) -> int:
    return -(-size * 4 // 3)

"""Gives the links of a mailing their codes, and each link once: new ones are defined together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY
from waypost.ids import LinkCode
from waypost.model.link import LinkDefinition
from waypost.rewrite.compiler import links_of
from waypost.sending.rendering import Ready

Define = Callable[[Sequence[LinkDefinition]], Sequence[LinkCode]]


@dataclass(frozen=True, slots=True)
class Definitions:
    """The codes by identity. ``nowhere``: where a link leads that only machines follow."""

    nowhere: str
    codes: dict[str, LinkCode] = field(default_factory=dict)

    @property
    def trap(self) -> LinkCode:
        """The code of the hidden link."""
        return self.codes[HONEYPOT_IDENTITY]

    def learn(self, messages: Iterable[Ready], define: Define) -> None:
        """Have the links of these messages defined that were not met before."""
        new: dict[str, LinkDefinition] = {}
        for message in messages:
            for definition in self._definitions(message):
                new.setdefault(definition.identity, definition)
        if new:
            self.codes.update(zip(new, define(list(new.values())), strict=True))

    def _definitions(self, message: Ready) -> Iterator[LinkDefinition]:
        if message.has_honeypot and HONEYPOT_IDENTITY not in self.codes:
            yield LinkDefinition(HONEYPOT_IDENTITY, self.nowhere, "honeypot", 0)
        for link in links_of(message.texts):
            if link.verdict.tracked and link.identity not in self.codes:
                yield LinkDefinition(link.identity, link.url, link.tag, link.position)

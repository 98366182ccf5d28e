"""Binds the texts of a mailing to their links: once for everybody where they are everybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from waypost.models.short_link import StoredDestination
from waypost.rewrite.link_writer import Bound, Codes, Start, bound
from waypost.rewriting.plan import Plan
from waypost.sending.rendering import Ready


@dataclass(frozen=True, slots=True)
class Bindings:
    """``shared``: plans and parameters are the same for all recipients. ``keep`` is given the
    destinations that links do not carry themselves.
    """

    codes: Codes
    start: Start
    shared: bool
    keep: Callable[[Iterable[StoredDestination]], None]
    _bound: dict[tuple[int, bool], Bound] = field(default_factory=dict)

    def of(self, plan: Plan, one: Ready) -> Bound:
        """A text of a recipient's message, its links packed. Their codes have to be known."""
        if not self.shared:
            return self._new(plan, one)
        # Plans are those of the message itself: they live as long, and so do their ids.
        key = (id(plan), one.known)
        if key not in self._bound:
            self._bound[key] = self._new(plan, one)
        return self._bound[key]

    def _new(self, plan: Plan, one: Ready) -> Bound:
        text = bound(plan, self.codes, one.query, self.start, known=one.known)
        self.keep(text.stored)
        return text

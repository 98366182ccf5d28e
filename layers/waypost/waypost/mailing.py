"""One message on its way to its recipients: rendered, its links known to the store, stamped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypedDict, final

from waypost.codes import LinkCode
from waypost.errors import InvalidRequest
from waypost.model.link import LinkDefinition
from waypost.rewriting import cautions
from waypost.rewriting.channels import Json
from waypost.rewriting.message import CompiledMessage, PlannedText, links_of
from waypost.rewriting.parameters import Parameters, Query
from waypost.rewriting.plan import Link, Plan
from waypost.rewriting.report import LinkEntry, LinksSeen, Sample, entry
from waypost.rewriting.request import Message, Recipient
from waypost.rewriting.stamping import Bound, Start, bound, stamped
from waypost.tokens import Sealer

CHUNK: Final = 100
"""Recipients whose new links are defined together."""

Define = Callable[[Sequence[LinkDefinition]], Sequence[LinkCode]]


@final
class Delivery(TypedDict):
    """A message ready to be sent."""

    delivery: str
    content: dict[str, Json]


@final
class Failure(TypedDict):
    """A recipient whose message could not be made, and why."""

    delivery: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Ready:
    """A recipient whose texts are rendered and planned."""

    recipient: Recipient
    query: Query
    texts: list[PlannedText]

    @property
    def known(self) -> bool:
        return self.recipient.person is not None


@dataclass(slots=True, kw_only=True)
class Mailing:
    """A message, and what was seen of it on the way.

    ``start`` gives what tracking links begin with, up to their payload; ``sent`` the time that they
    carry, in seconds since 1970. ``define`` gives new links their codes. Without a ``sealer``
    nothing is signed, and no message made.
    """

    request: Message
    message: CompiledMessage
    parameters: Parameters
    define: Define
    sealer: Sealer | None
    start: Start
    sent: int
    _codes: dict[str, LinkCode] = field(default_factory=dict)
    _links: LinksSeen = field(default_factory=LinksSeen)
    _recipients: int = 0
    _sample: Sample | None = None
    _empty: dict[str, None] = field(default_factory=dict)
    _bound: dict[tuple[int, bool], Bound] = field(default_factory=dict)

    def stamp(self, recipients: Iterable[Recipient]) -> Iterator[Delivery | Failure]:
        """The messages of up to ``CHUNK`` recipients, in their order; one that cannot be made
        spoils no other.

        :raises StoreUnavailable: before any of them, when their links cannot be defined.
        """
        prepared = [self._prepared(recipient) for recipient in recipients]
        ready = [one for one in prepared if isinstance(one, _Ready)]
        self._learn(link for one in ready for link in links_of(one.texts))
        for one in prepared:
            if not isinstance(one, _Ready):
                yield one
            elif self.sealer is not None:
                yield self._stamped(one, self.sealer)

    def links(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        seen = self._sample.seen(self._codes, self.start) if self._sample else {}
        return [entry(link, self._codes, seen) for link in self._links]

    def warnings(self) -> list[str]:
        """What a pipeline should know before it sends."""
        found = list(cautions.of_parameters(self._empty))
        if self._sample is not None:
            seen = self._sample.seen(self._codes, self.start)
            texts = self._sample.preview(seen)
            found += cautions.of_content(self.request.channel, texts)
            found += cautions.of_links(seen)
            if self.request.content.mime is not None:
                found += cautions.of_mime(self.request.content.mime, texts[("mime",)])
        found += cautions.of_identities(self._links, self._links.one_offs(), self._recipients)
        return found

    def _prepared(self, recipient: Recipient) -> _Ready | Failure:
        data = self._data(recipient)
        try:
            query = self.parameters.for_recipient(data)
            texts = self.message.planned(data)
        except InvalidRequest as error:
            problem = error.problems[0]
            return Failure(delivery=recipient.delivery, field=problem.field, reason=problem.reason)
        self._note(recipient, query, texts)
        return _Ready(recipient, query, texts)

    def _data(self, recipient: Recipient) -> dict[str, object]:
        """What a recipient's data renders with: their own, and what we know besides."""
        data: dict[str, object] = dict(recipient.data)
        data.setdefault("campaign", {"name": self.request.campaign, "type": self.request.kind})
        data.setdefault("delivery_id", recipient.delivery)
        customer = data.get("customer", {})
        if recipient.person is not None and isinstance(customer, dict):
            data["customer"] = {"cio_id": recipient.person} | customer
        return data

    def _note(self, recipient: Recipient, query: Query, texts: list[PlannedText]) -> None:
        if self._sample is None:
            self._sample = Sample(recipient.delivery, recipient.person, self.sent, query, texts)
        if self.message.is_template or not self._recipients:
            self._links.add(texts)
        self._recipients += 1
        self._empty.update(dict.fromkeys(query.empty))

    def _learn(self, links: Iterable[Link]) -> None:
        """Have new links defined, all at once."""
        new: dict[str, LinkDefinition] = {}
        for link in links:
            if link.verdict.tracked and link.identity not in self._codes:
                definition = LinkDefinition(link.identity, link.url, link.tag, link.position)
                new.setdefault(link.identity, definition)
        if new:
            self._codes.update(zip(new, self.define(list(new.values())), strict=True))

    def _stamped(self, one: _Ready, sealer: Sealer) -> Delivery:
        recipient = one.recipient
        batch = sealer.for_recipient(recipient.delivery, recipient.person, self.sent)
        texts = {text.path: stamped(self._packed(text.plan, one), batch) for text in one.texts}
        return Delivery(delivery=recipient.delivery, content=self.message.filled(texts))

    def _packed(self, plan: Plan, one: _Ready) -> Bound:
        if self.message.is_template or self.parameters.differ:
            return bound(plan, self._codes, one.query, self.start, known=one.known)
        # Plans are those of the message itself: they live as long, and so do their ids.
        key = (id(plan), one.known)
        if key not in self._bound:
            self._bound[key] = bound(plan, self._codes, one.query, self.start, known=one.known)
        return self._bound[key]

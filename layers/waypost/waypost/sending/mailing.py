"""One message on its way to its recipients: rendered, its links known to the store, stamped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NotRequired, TypedDict, final

from waypost.clicks.honeypot import HONEYPOT_IDENTITY
from waypost.codes import CampaignCode, LinkCode
from waypost.errors import InvalidRequest
from waypost.model.link import LinkDefinition
from waypost.rewriting import cautions
from waypost.rewriting.channels import Json, Path
from waypost.rewriting.message import CompiledMessage, PlannedText, links_of
from waypost.rewriting.parameters import Parameters, Query
from waypost.rewriting.pixel import hidden_link, image
from waypost.rewriting.plan import Link, PixelSlot, Plan
from waypost.rewriting.report import LinkEntry, LinksSeen, Sample, entry
from waypost.rewriting.request import Message, Recipient
from waypost.rewriting.segment_report import SegmentCounts, SegmentReport
from waypost.rewriting.segments import parts
from waypost.rewriting.stamping import Bound, Start, bound, prepared, stamped, unstamped
from waypost.sending.shortening import Shortener, ShortSealer, with_codes
from waypost.tokens import RecipientSealer, Sealer

CHUNK: Final = 100
"""Recipients whose new links are defined together."""

_SMS: Final[Path] = ("text",)

Define = Callable[[Sequence[LinkDefinition]], Sequence[LinkCode]]


@final
class Delivery(TypedDict):
    """A message ready to be sent."""

    delivery: str
    content: dict[str, Json]
    parts: NotRequired[list[str]]
    """A text message that takes several segments, cut so that no link is: for senders that send
    segments themselves.
    """


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

    ``start`` gives what tracking links begin with, up to their payload or code (``short``), and
    ``pixels`` what pixels begin with; ``nowhere`` is where a link leads that only machines follow,
    ``sent`` the time that they carry, in seconds since 1970.
    ``define`` gives new links their codes, ``shortener`` keeps what links do not carry. Without a
    ``sealer`` nothing is signed nor stored, and no message made.
    """

    request: Message
    message: CompiledMessage
    parameters: Parameters
    define: Define
    sealer: Sealer | None
    start: Start
    pixels: str
    nowhere: str
    campaign: CampaignCode
    shortener: Shortener
    sent: int
    short: bool = False
    _segments: SegmentReport = field(default_factory=SegmentReport)
    _codes: dict[str, LinkCode] = field(default_factory=dict)
    _links: LinksSeen = field(default_factory=LinksSeen)
    _recipients: int = 0
    _signed: int = 0
    _sample: Sample | None = None
    _empty: dict[str, None] = field(default_factory=dict)
    _bound: dict[tuple[int, bool], Bound] = field(default_factory=dict)

    def stamp(self, recipients: Iterable[Recipient]) -> Iterator[Delivery | Failure]:
        """The messages of up to ``CHUNK`` recipients, in their order; one that cannot be made
        spoils no other.

        :raises StoreUnavailable: before any of them, when their links cannot be defined or stored.
        """
        prepared = [self._prepared(recipient) for recipient in recipients]
        ready = [one for one in prepared if isinstance(one, _Ready)]
        slots = (text.plan.pixel for one in ready for text in one.texts)
        self._learn(
            (link for one in ready for link in links_of(one.texts)),
            honeypot=any(slot is not None and slot.honeypot for slot in slots),
        )
        sealer = self.sealer
        if sealer is None:
            yield from (one for one in prepared if not isinstance(one, _Ready))
            return
        texts = {id(one): self._stamped(one, sealer) for one in ready}
        replaced = self.shortener.store()
        for one in prepared:
            yield (
                self._delivery(one, texts[id(one)], replaced) if isinstance(one, _Ready) else one
            )

    def links(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        seen = self._sample.seen(self._codes, self.start) if self._sample else {}
        return [entry(link, self._codes, seen) for link in self._links]

    def take_signed(self) -> dict[str, int]:
        """Links signed since this was last asked, by the fingerprint of the key. Pixels and links
        that only machines see are not among them.
        """
        signed, self._signed = self._signed, 0
        return {self.sealer.key: signed} if self.sealer is not None else {}

    def segments(self) -> SegmentCounts | None:
        """Of a text message, how many parts it takes at most, before and after; else None."""
        if self.sealer is None and self._sample is not None and self.request.channel == "sms":
            preview = self._sample.preview(self._sample.seen(self._codes, self.start))
            for text in self._sample.texts:
                if text.path == _SMS:
                    self._segments.add(unstamped(text.plan), preview[text.path])
        return self._segments.told()

    def warnings(self) -> list[str]:
        """What a pipeline should know before it sends."""
        found = list(cautions.of_parameters(self._empty))
        if self._sample is not None:
            seen = self._sample.seen(self._codes, self.start)
            texts = self._sample.preview(seen)
            found += cautions.of_content(self.request.channel, texts)
            found += cautions.of_segments(self.segments())
            found += cautions.of_links(seen)
            if self.request.content.mime is not None:
                found += cautions.of_mime(self.request.content.mime, texts[("mime",)])
        # What was rendered before is everybody's message, and so are its links.
        one_offs = self._links.one_offs() if self.message.is_template else 0
        found += cautions.of_identities(self._links, one_offs, self._recipients)
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
            self._sample = Sample(
                recipient.delivery, recipient.person, self.sent, query, texts, short=self.short
            )
        if self.message.is_template or not self._recipients:
            self._links.add(texts)
        self._recipients += 1
        self._empty.update(dict.fromkeys(query.empty))

    def _learn(self, links: Iterable[Link], *, honeypot: bool) -> None:
        """Have new links defined, all at once."""
        new: dict[str, LinkDefinition] = {}
        if honeypot and HONEYPOT_IDENTITY not in self._codes:
            trap = LinkDefinition(HONEYPOT_IDENTITY, self.nowhere, "honeypot", 0)
            new[HONEYPOT_IDENTITY] = trap
        for link in links:
            if link.verdict.tracked and link.identity not in self._codes:
                definition = LinkDefinition(link.identity, link.url, link.tag, link.position)
                new.setdefault(link.identity, definition)
        if new:
            self._codes.update(zip(new, self.define(list(new.values())), strict=True))

    def _stamped(self, one: _Ready, sealer: Sealer) -> dict[Path, str]:
        recipient = one.recipient
        batch = sealer.for_recipient(recipient.delivery, recipient.person, self.sent)
        links = ShortSealer(batch, self.shortener.code_for) if self.short else batch
        texts: dict[Path, str] = {}
        for text in one.texts:
            hidden = self._hidden(text.plan.pixel, batch)
            packed = self._packed(text.plan, one)
            texts[text.path] = stamped(packed, links, hidden)
            self._signed += len(packed.links)
        return texts

    def _hidden(self, slot: PixelSlot | None, batch: RecipientSealer) -> str:
        """What stands in a recipient's message that nobody sees."""
        if slot is None:
            return ""
        hidden = image(self.pixels + batch.pixel(self.campaign)) if slot.image else ""
        if slot.honeypot:
            trap = prepared(self._codes[HONEYPOT_IDENTITY], 0, self.nowhere)
            hidden += hidden_link(self.start(self.nowhere) + batch.seal(trap.link))
        return hidden

    def _delivery(
        self, one: _Ready, texts: Mapping[Path, str], replaced: Mapping[str, str]
    ) -> Delivery:
        if replaced:
            texts = {path: with_codes(text, replaced) for path, text in texts.items()}
        delivery = Delivery(delivery=one.recipient.delivery, content=self.message.filled(texts))
        for text in one.texts if self.request.channel == "sms" else ():
            if text.path == _SMS:
                cut = self._segments.add(unstamped(text.plan), texts[_SMS])
                if cut.count > 1:
                    delivery["parts"] = parts(texts[_SMS], cut.cuts)
        return delivery

    def _packed(self, plan: Plan, one: _Ready) -> Bound:
        if self.message.is_template or self.parameters.differ:
            return self._bind(plan, one)
        # Plans are those of the message itself: they live as long, and so do their ids.
        key = (id(plan), one.known)
        if key not in self._bound:
            self._bound[key] = self._bind(plan, one)
        return self._bound[key]

    def _bind(self, plan: Plan, one: _Ready) -> Bound:
        text = bound(plan, self._codes, one.query, self.start, known=one.known)
        self.shortener.keep(text.stored)
        return text

"""One message on its way to its recipients: rendered, its links known to the store, stamped.

Binds the texts of a mailing to their links: once for everybody where they are everybody's.

Gives the links of a mailing their codes, and each link once: new ones are defined together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY
from waypost.errors import InvalidRequest
from waypost.ids import CampaignCode, LinkCode
from waypost.models.campaign import LinkDefinition
from waypost.models.short_link import StoredDestination
from waypost.rewrite.compiler import CompiledMessage, PixelSlot, Plan, Ready, links_of, rendered
from waypost.rewrite.diagnostics import SMS, Findings, LinkEntry
from waypost.rewrite.link_writer import Bound, Codes, Start, bound, prepared, stamped, unstamped
from waypost.rewrite.links.channels import Path
from waypost.rewrite.links.html import hidden_link, image
from waypost.rewrite.schemas import Delivery, Failure, Message, Recipient
from waypost.rewrite.short_links import Shortener, ShortSealer, with_codes
from waypost.rewrite.sms_segments import SegmentCounts, parts
from waypost.rewrite.url_parameters import Parameters
from waypost.tokens import RecipientSealer, Sealer


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


CHUNK: Final = 100
"""Recipients whose new links are defined together."""


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
    _links: Definitions = field(init=False)
    _findings: Findings = field(init=False)
    _bindings: Bindings = field(init=False)
    _signed: int = 0

    def __post_init__(self) -> None:
        self._links = Definitions(self.nowhere)
        self._findings = Findings(
            request=self.request,
            template=self.message.is_template,
            codes=self._links.codes,
            start=self.start,
            sent=self.sent,
            short=self.short,
        )
        self._bindings = Bindings(
            codes=self._links.codes,
            start=self.start,
            shared=not (self.message.is_template or self.parameters.differ),
            keep=self.shortener.keep,
        )

    def stamp(self, recipients: Iterable[Recipient]) -> Iterator[Delivery | Failure]:
        """The messages of up to ``CHUNK`` recipients, in their order; one that cannot be made
        spoils no other.

        :raises StoreUnavailable: before any of them, when their links cannot be defined or stored.
        """
        outcomes = [self._rendered(recipient) for recipient in recipients]
        ready = [one for one in outcomes if isinstance(one, Ready)]
        self._links.learn(ready, self.define)
        if self.sealer is None:
            yield from (one for one in outcomes if not isinstance(one, Ready))
            return
        texts = {id(one): self._stamped(one, self.sealer) for one in ready}
        replaced = self.shortener.store()
        for one in outcomes:
            yield self._delivery(one, texts[id(one)], replaced) if isinstance(one, Ready) else one

    def links(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        return self._findings.links()

    def warnings(self) -> list[str]:
        """What a pipeline should know before it sends."""
        return self._findings.warnings(rehearsed=self.sealer is None)

    def segments(self) -> SegmentCounts | None:
        """Of a text message, how many parts it takes at most, before and after; else None."""
        return self._findings.segments(rehearsed=self.sealer is None)

    def take_signed(self) -> dict[str, int]:
        """Links signed since this was last asked, by the fingerprint of the key. Pixels and links
        that only machines see are not among them.
        """
        signed, self._signed = self._signed, 0
        return {self.sealer.key: signed} if self.sealer is not None else {}

    def _rendered(self, recipient: Recipient) -> Ready | Failure:
        try:
            one = rendered(recipient, self.request, self.message, self.parameters)
        except InvalidRequest as error:
            problem = error.problems[0]
            return Failure(delivery=recipient.delivery, field=problem.field, reason=problem.reason)
        self._findings.note(one)
        return one

    def _stamped(self, one: Ready, sealer: Sealer) -> dict[Path, str]:
        recipient = one.recipient
        batch = sealer.for_recipient(recipient.delivery, recipient.person, self.sent)
        links = ShortSealer(batch, self.shortener.code_for) if self.short else batch
        texts: dict[Path, str] = {}
        for text in one.texts:
            bound = self._bindings.of(text.plan, one)
            texts[text.path] = stamped(bound, links, self._unseen(text.plan.pixel, batch))
            self._signed += len(bound.links)
        return texts

    def _unseen(self, slot: PixelSlot | None, batch: RecipientSealer) -> str:
        """What stands in a recipient's message that nobody sees."""
        if slot is None:
            return ""
        unseen = image(self.pixels + batch.pixel(self.campaign)) if slot.image else ""
        if slot.honeypot:
            trap = prepared(self._links.trap, 0, self.nowhere)
            unseen += hidden_link(self.start(self.nowhere) + batch.seal(trap.link))
        return unseen

    def _delivery(
        self, one: Ready, texts: Mapping[Path, str], replaced: Mapping[str, str]
    ) -> Delivery:
        if replaced:
            texts = {path: with_codes(text, replaced) for path, text in texts.items()}
        delivery = Delivery(delivery=one.recipient.delivery, content=self.message.filled(texts))
        for text in one.texts if self.request.channel == "sms" else ():
            if text.path == SMS:
                cut = self._findings.note_segments(unstamped(text.plan), texts[SMS])
                if cut.count > 1:
                    delivery["parts"] = parts(texts[SMS], cut.cuts)
        return delivery

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
from waypost.ids import CampaignId, LinkId
from waypost.models.campaign import LinkDefinition
from waypost.models.short_link import LongDestination
from waypost.rewrite.compiler import (
    CompiledMessage,
    PixelSlot,
    RenderedRecipient,
    TextPlan,
    iter_links,
    render_recipient,
)
from waypost.rewrite.diagnostics import SMS_TEXT_PATH, LinkEntry, MessageDiagnostics
from waypost.rewrite.link_writer import (
    LinkIds,
    LinkPrefixBuilder,
    PreparedText,
    fill_text,
    pack_link,
    prepare_text,
    restore_text,
)
from waypost.rewrite.links.channels import ContentPath
from waypost.rewrite.links.html import render_honeypot_link, render_pixel
from waypost.rewrite.schemas import Delivery, DeliveryFailure, MessageRequest, RewriteRecipient
from waypost.rewrite.short_links import LinkShortener, ShortLinkSealer, replace_codes
from waypost.rewrite.sms_segments import SmsSegmentCounts, cut_text
from waypost.rewrite.url_parameters import UrlParameters
from waypost.tokens import RecipientSealer, TokenSealer


@dataclass(frozen=True, slots=True)
class PreparedTextCache:
    """``shared``: plans and parameters are the same for all recipients. ``keep`` is given the
    destinations that links do not carry themselves.
    """

    link_ids: LinkIds
    build_prefix: LinkPrefixBuilder
    is_shared: bool
    add_destinations: Callable[[Iterable[LongDestination]], None]
    _prepared_texts: dict[tuple[int, bool], PreparedText] = field(default_factory=dict)

    def get_or_prepare(self, plan: TextPlan, rendered_recipient: RenderedRecipient) -> PreparedText:
        """A text of a recipient's message, its links packed. Their codes have to be known."""
        if not self.is_shared:
            return self._prepare(plan, rendered_recipient)
        # Plans are those of the message itself: they live as long, and so do their ids.
        key = (id(plan), rendered_recipient.has_person)
        if key not in self._prepared_texts:
            self._prepared_texts[key] = self._prepare(plan, rendered_recipient)
        return self._prepared_texts[key]

    def _prepare(self, plan: TextPlan, rendered_recipient: RenderedRecipient) -> PreparedText:
        text = prepare_text(
            plan,
            self.link_ids,
            rendered_recipient.query,
            self.build_prefix,
            has_person=rendered_recipient.has_person,
        )
        self.add_destinations(text.stored_destinations)
        return text


LinkDefiner = Callable[[Sequence[LinkDefinition]], Sequence[LinkId]]


@dataclass(frozen=True, slots=True)
class LinkRegistry:
    """The codes by identity. ``nowhere``: where a link leads that only machines follow."""

    honeypot_url: str
    link_ids: dict[str, LinkId] = field(default_factory=dict)

    @property
    def honeypot_link_id(self) -> LinkId:
        """The code of the hidden link."""
        return self.link_ids[HONEYPOT_IDENTITY]

    def register(self, messages: Iterable[RenderedRecipient], define_links: LinkDefiner) -> None:
        """Have the links of these messages defined that were not met before."""
        new: dict[str, LinkDefinition] = {}
        for message in messages:
            for definition in self._iter_new_definitions(message):
                new.setdefault(definition.identity, definition)
        if new:
            self.link_ids.update(zip(new, define_links(list(new.values())), strict=True))

    def _iter_new_definitions(self, message: RenderedRecipient) -> Iterator[LinkDefinition]:
        if message.has_honeypot and HONEYPOT_IDENTITY not in self.link_ids:
            yield LinkDefinition(HONEYPOT_IDENTITY, self.honeypot_url, "honeypot", 0)
        for link in iter_links(message.texts):
            if link.decision.is_tracked and link.identity not in self.link_ids:
                yield LinkDefinition(link.identity, link.url, link.tag, link.position)


RENDER_BATCH_SIZE: Final = 100
"""Recipients whose new links are defined together."""


@dataclass(slots=True, kw_only=True)
class MessageRenderer:
    """A message, and what was seen of it on the way.

    ``start`` gives what tracking links begin with, up to their payload or code (``short``), and
    ``pixels`` what pixels begin with; ``nowhere`` is where a link leads that only machines follow,
    ``sent`` the time that they carry, in seconds since 1970.
    ``define`` gives new links their codes, ``shortener`` keeps what links do not carry. Without a
    ``sealer`` nothing is signed nor stored, and no message made.
    """

    request: MessageRequest
    message: CompiledMessage
    parameters: UrlParameters
    define_links: LinkDefiner
    sealer: TokenSealer | None
    build_prefix: LinkPrefixBuilder
    pixel_prefix: str
    honeypot_url: str
    campaign_id: CampaignId
    shortener: LinkShortener
    sent_at: int
    has_short_links: bool = False
    _link_registry: LinkRegistry = field(init=False)
    _diagnostics: MessageDiagnostics = field(init=False)
    _prepared_texts: PreparedTextCache = field(init=False)
    _signature_count: int = 0

    def __post_init__(self) -> None:
        self._link_registry = LinkRegistry(self.honeypot_url)
        self._diagnostics = MessageDiagnostics(
            request=self.request,
            is_template=self.message.is_template,
            link_ids=self._link_registry.link_ids,
            build_prefix=self.build_prefix,
            sent_at=self.sent_at,
            has_short_links=self.has_short_links,
        )
        self._prepared_texts = PreparedTextCache(
            link_ids=self._link_registry.link_ids,
            build_prefix=self.build_prefix,
            is_shared=not (self.message.is_template or self.parameters.is_recipient_specific),
            add_destinations=self.shortener.add_destinations,
        )

    def render_recipients(
        self, recipients: Iterable[RewriteRecipient]
    ) -> Iterator[Delivery | DeliveryFailure]:
        """The messages of up to ``CHUNK`` recipients, in their order; one that cannot be made
        spoils no other.

        :raises StoreUnavailable: before any of them, when their links cannot be defined or stored.
        """
        outcomes = [self._render_recipient(recipient) for recipient in recipients]
        ready = [one for one in outcomes if isinstance(one, RenderedRecipient)]
        self._link_registry.register(ready, self.define_links)
        if self.sealer is None:
            yield from (one for one in outcomes if not isinstance(one, RenderedRecipient))
            return
        texts = {id(one): self._fill_texts(one, self.sealer) for one in ready}
        replaced = self.shortener.store_pending()
        for one in outcomes:
            yield (
                self._build_delivery(one, texts[id(one)], replaced)
                if isinstance(one, RenderedRecipient)
                else one
            )

    def build_link_entries(self) -> list[LinkEntry]:
        """What became of every link, in the order of appearance."""
        return self._diagnostics.build_link_entries()

    def build_warnings(self) -> list[str]:
        """What a pipeline should know before it sends."""
        return self._diagnostics.build_warnings(is_dry_run=self.sealer is None)

    def get_segment_counts(self) -> SmsSegmentCounts | None:
        """Of a text message, how many parts it takes at most, before and after; else None."""
        return self._diagnostics.get_segment_counts(is_dry_run=self.sealer is None)

    def take_signature_counts(self) -> dict[str, int]:
        """Links signed since this was last asked, by the fingerprint of the key. Pixels and links
        that only machines see are not among them.
        """
        signed, self._signature_count = self._signature_count, 0
        return {self.sealer.key_fingerprint: signed} if self.sealer is not None else {}

    def _render_recipient(self, recipient: RewriteRecipient) -> RenderedRecipient | DeliveryFailure:
        try:
            one = render_recipient(recipient, self.request, self.message, self.parameters)
        except InvalidRequest as error:
            problem = error.problems[0]
            return DeliveryFailure(
                delivery=recipient.delivery, field=problem.field, reason=problem.reason
            )
        self._diagnostics.add_recipient(one)
        return one

    def _fill_texts(
        self, rendered_recipient: RenderedRecipient, sealer: TokenSealer
    ) -> dict[ContentPath, str]:
        recipient = rendered_recipient.recipient
        batch = sealer.create_recipient_sealer(recipient.delivery, recipient.person, self.sent_at)
        links = (
            ShortLinkSealer(batch, self.shortener.assign_code) if self.has_short_links else batch
        )
        texts: dict[ContentPath, str] = {}
        for text in rendered_recipient.texts:
            bound = self._prepared_texts.get_or_prepare(text.plan, rendered_recipient)
            texts[text.path] = fill_text(
                bound, links, self._build_hidden_html(text.plan.pixel_slot, batch)
            )
            self._signature_count += len(bound.links)
        return texts

    def _build_hidden_html(self, slot: PixelSlot | None, batch: RecipientSealer) -> str:
        """What stands in a recipient's message that nobody sees."""
        if slot is None:
            return ""
        unseen = (
            render_pixel(self.pixel_prefix + batch.seal_pixel(self.campaign_id))
            if slot.has_image
            else ""
        )
        if slot.has_honeypot:
            trap = pack_link(self._link_registry.honeypot_link_id, 0, self.honeypot_url)
            unseen += render_honeypot_link(
                self.build_prefix(self.honeypot_url) + batch.seal(trap.link)
            )
        return unseen

    def _build_delivery(
        self,
        rendered_recipient: RenderedRecipient,
        texts: Mapping[ContentPath, str],
        new_codes: Mapping[str, str],
    ) -> Delivery:
        if new_codes:
            texts = {path: replace_codes(text, new_codes) for path, text in texts.items()}
        delivery = Delivery(
            delivery=rendered_recipient.recipient.delivery,
            content=self.message.build_content(texts),
        )
        for text in rendered_recipient.texts if self.request.channel == "sms" else ():
            if text.path == SMS_TEXT_PATH:
                cut = self._diagnostics.add_sms_segments(
                    restore_text(text.plan), texts[SMS_TEXT_PATH]
                )
                if cut.count > 1:
                    delivery["parts"] = cut_text(texts[SMS_TEXT_PATH], cut.cuts)
        return delivery

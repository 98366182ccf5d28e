"""Render one message for its recipients: register new links and fill the texts' slots.

Each step of a recipient's message runs in ``_isolate``: an error of any type fails this recipient
and no other. Only an error of a store fails the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from traceback import walk_tb
from typing import Final, ParamSpec, TypeVar

from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY
from waypost.errors import InvalidRequest, StoreError
from waypost.ids import CampaignId, LinkId, extract_workspace_id
from waypost.models.campaign import LinkDefinition, RecipientMark, recipient_hash
from waypost.observability import create_logger
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
    LinkPrefixBuilder,
    LinkSealer,
    LinkShortener,
    PreparedText,
    fill_text,
    pack_link,
    prepare_text,
    replace_codes,
    restore_text,
)
from waypost.rewrite.links.channels import ContentPath
from waypost.rewrite.links.html import render_honeypot_link, render_pixel
from waypost.rewrite.schemas import Delivery, DeliveryFailure, MessageRequest, RewriteRecipient
from waypost.rewrite.sms_segments import SmsSegmentCounts, cut_text
from waypost.rewrite.url_parameters import UrlParameters
from waypost.tokens import RecipientSealer, TokenSealer

LinkDefiner = Callable[[Sequence[LinkDefinition]], Sequence[LinkId]]
"""Stores link definitions and gives their ids, in the same order."""

MessageArchiver = Callable[[RecipientMark | None], None]
"""Archives the message, which was rendered for this recipient only, or for several (None)."""

RENDER_BATCH_SIZE: Final = 100
"""Recipients whose new links are defined together."""

_LOG: Final = create_logger("rewrite")

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class _FilledMessage:
    """A recipient's texts with their links. Codes of short links in them may be replaced."""

    rendered: RenderedRecipient
    texts: Mapping[ContentPath, str]


@dataclass(slots=True, kw_only=True)
class MessageRenderer:
    """A compiled message and all that its recipients share.

    ``build_prefix`` builds the beginning of tracking links, ``pixel_prefix`` is the pixels'.
    ``define_links`` gives ids to new links; ``shortener`` stores short codes and long destinations.
    ``archive_message`` is called once, with the first recipients. ``retention_ends_at`` is when
    data of a recipient without a person expires, in seconds since 1970. Without a ``sealer`` (dry
    run), nothing is signed or stored, and no message is returned.
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
    """Time in the tokens, in seconds since 1970."""
    retention_ends_at: int
    has_short_links: bool = False
    archive_message: MessageArchiver | None = None
    _link_ids: dict[str, LinkId] = field(init=False, default_factory=dict)
    """Ids of registered links, by identity."""
    _personal_links: dict[str, LinkDefinition] = field(init=False, default_factory=dict)
    """Registered links that only one recipient has, by identity."""
    _diagnostics: MessageDiagnostics = field(init=False)
    _shares_texts: bool = field(init=False)
    """Plans and parameters are the same for all recipients."""
    _prepared_texts: dict[tuple[int, bool], PreparedText] = field(init=False, default_factory=dict)
    _signature_count: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._shares_texts = not (self.message.is_template or self.parameters.is_recipient_specific)
        self._diagnostics = MessageDiagnostics(
            request=self.request,
            is_template=self.message.is_template,
            link_ids=self._link_ids,
            build_prefix=self.build_prefix,
            sent_at=self.sent_at,
            has_short_links=self.has_short_links,
        )

    def render_recipients(
        self, recipients: Iterable[RewriteRecipient]
    ) -> Iterator[Delivery | DeliveryFailure]:
        """Render the messages of up to ``RENDER_BATCH_SIZE`` recipients, in their order.

        A recipient whose message fails does not affect the others.

        :raises StoreUnavailable: before any message, if links cannot be defined or stored.
        """
        recipients = list(recipients)
        self._archive_once(recipients)
        rendered = [_isolate(self._render_recipient, each, each) for each in recipients]
        self._register_links([each for each in rendered if isinstance(each, RenderedRecipient)])
        if self.sealer is None:
            yield from self._preview_recipients(rendered)
            return
        filled = [
            _isolate(self._fill_message, each.recipient, each, self.sealer)
            if isinstance(each, RenderedRecipient)
            else each
            for each in rendered
        ]
        new_codes = self.shortener.store_pending()
        for message in filled:
            if isinstance(message, _FilledMessage):
                recipient = message.rendered.recipient
                yield _isolate(self._build_delivery, recipient, message, new_codes)
            else:
                yield message

    def build_link_entries(self) -> list[LinkEntry]:
        """Build the link report, in the order of appearance."""
        return self._diagnostics.build_link_entries()

    def build_warnings(self) -> list[str]:
        """Build the warnings for the pipeline."""
        warnings = self._diagnostics.build_warnings(is_dry_run=self.sealer is None)
        return [*self.message.warnings, *warnings]

    def get_segment_counts(self) -> SmsSegmentCounts | None:
        """Return the most segments of any recipient's text message; None for other channels."""
        return self._diagnostics.get_segment_counts(is_dry_run=self.sealer is None)

    def take_signature_counts(self) -> dict[str, int]:
        """Return and reset the number of links signed, by the key's fingerprint.

        Pixels and honeypot links are not counted.
        """
        count, self._signature_count = self._signature_count, 0
        return {self.sealer.key_fingerprint: count} if self.sealer is not None else {}

    def _archive_once(self, recipients: Sequence[RewriteRecipient]) -> None:
        """Archive the message before the first recipients' messages are rendered."""
        archive, self.archive_message = self.archive_message, None
        if archive is not None and recipients:
            is_personal = len(recipients) == 1 and not self.request.liquid
            archive(self._mark_recipient(recipients[0]) if is_personal else None)

    def _render_recipient(self, recipient: RewriteRecipient) -> RenderedRecipient:
        return render_recipient(recipient, self.request, self.message, self.parameters)

    def _preview_recipients(
        self, recipients: Iterable[RenderedRecipient | DeliveryFailure]
    ) -> Iterator[DeliveryFailure]:
        """Add recipients to the report, without signing; yield those that fail."""
        for each in recipients:
            failure = (
                _isolate(self._diagnostics.add_recipient, each.recipient, each)
                if isinstance(each, RenderedRecipient)
                else each
            )
            if failure is not None:
                yield failure

    def _register_links(self, recipients: Sequence[RenderedRecipient]) -> None:
        """Define the links that no recipient had before, all in one call."""
        # Content without Liquid is the same for all recipients, so it is personal only to one.
        is_personal = len(recipients) == 1 and not self.request.liquid
        new: dict[str, LinkDefinition] = {}
        for recipient in recipients:
            for definition in self._iter_new_definitions(recipient, is_personal=is_personal):
                known = new.setdefault(definition.identity, definition)
                if known.only_for is not None:
                    new[definition.identity] = known.merge(definition)
        if new:
            self._link_ids.update(zip(new, self.define_links(list(new.values())), strict=True))
        for identity, definition in new.items():
            if definition.only_for is not None:
                self._personal_links[identity] = definition
            else:
                self._personal_links.pop(identity, None)

    def _iter_new_definitions(
        self, rendered: RenderedRecipient, *, is_personal: bool
    ) -> Iterator[LinkDefinition]:
        """Yield the links that are not registered, or only as another recipient's."""
        if rendered.has_honeypot and HONEYPOT_IDENTITY not in self._link_ids:
            yield LinkDefinition(HONEYPOT_IDENTITY, self.honeypot_url, "honeypot", 0)
        mark: RecipientMark | None = None
        for link in iter_links(rendered.texts):
            is_known = link.identity in self._link_ids and link.identity not in self._personal_links
            if is_known or not link.decision.is_tracked:
                continue
            only_for = None
            if is_personal or link.is_from_data:
                only_for = mark = mark or self._mark_recipient(rendered.recipient)
            definition = LinkDefinition(link.identity, link.url, link.tag, link.position, only_for)
            known = self._personal_links.get(link.identity, definition)
            if known is definition or known.merge(definition) is not known:
                yield definition

    def _mark_recipient(self, recipient: RewriteRecipient) -> RecipientMark:
        hash_ = recipient_hash(extract_workspace_id(self.campaign_id), recipient.recipient_name)
        return RecipientMark(hash_, self.retention_ends_at if recipient.person is None else None)

    def _fill_message(self, rendered: RenderedRecipient, sealer: TokenSealer) -> _FilledMessage:
        recipient = rendered.recipient
        recipient_sealer = sealer.create_recipient_sealer(
            recipient.delivery, recipient.person, self.sent_at
        )
        seal = self._select_link_sealer(recipient, recipient_sealer)
        texts: dict[ContentPath, str] = {}
        for text in rendered.texts:
            prepared = self._get_or_prepare(text.plan, rendered)
            if prepared.stored_destinations:
                mark = self._mark_recipient(recipient)
                self.shortener.add_destinations(prepared.stored_destinations, mark)
            hidden_html = self._build_hidden_html(text.plan.pixel_slot, recipient_sealer)
            texts[text.path] = fill_text(prepared, seal, hidden_html)
            self._signature_count += len(prepared.links)
        return _FilledMessage(rendered, texts)

    def _select_link_sealer(
        self, recipient: RewriteRecipient, recipient_sealer: RecipientSealer
    ) -> LinkSealer:
        if not self.has_short_links:
            return recipient_sealer.seal
        mark = self._mark_recipient(recipient)
        return lambda link: self.shortener.assign_code(recipient_sealer.seal(link), mark)

    def _get_or_prepare(self, plan: TextPlan, rendered: RenderedRecipient) -> PreparedText:
        if not self._shares_texts:
            return self._prepare_text(plan, rendered)
        # Plans belong to the compiled message: they live as long as this, and so do their ids.
        key = (id(plan), rendered.has_person)
        if key not in self._prepared_texts:
            self._prepared_texts[key] = self._prepare_text(plan, rendered)
        return self._prepared_texts[key]

    def _prepare_text(self, plan: TextPlan, rendered: RenderedRecipient) -> PreparedText:
        return prepare_text(
            plan,
            self._link_ids,
            rendered.parameters,
            self.build_prefix,
            has_person=rendered.has_person,
        )

    def _build_hidden_html(self, slot: PixelSlot | None, recipient_sealer: RecipientSealer) -> str:
        """Build the open pixel and the honeypot link of a recipient."""
        if slot is None:
            return ""
        html = ""
        if slot.has_image:
            html = render_pixel(self.pixel_prefix + recipient_sealer.seal_pixel(self.campaign_id))
        if slot.has_honeypot:
            honeypot = pack_link(self._link_ids[HONEYPOT_IDENTITY], 0, self.honeypot_url)
            html += render_honeypot_link(
                self.build_prefix(self.honeypot_url) + recipient_sealer.seal(honeypot.link)
            )
        return html

    def _build_delivery(self, message: _FilledMessage, new_codes: Mapping[str, str]) -> Delivery:
        rendered, texts = message.rendered, message.texts
        if new_codes:
            texts = {path: replace_codes(text, new_codes) for path, text in texts.items()}
        delivery = Delivery(
            delivery=rendered.recipient.delivery, content=self.message.build_content(texts)
        )
        if self.request.channel == "sms":
            self._add_sms_parts(delivery, rendered, texts)
        self._diagnostics.add_recipient(rendered)
        return delivery

    def _add_sms_parts(
        self,
        delivery: Delivery,
        rendered: RenderedRecipient,
        texts: Mapping[ContentPath, str],
    ) -> None:
        for text in rendered.texts:
            if text.path == SMS_TEXT_PATH:
                filled = texts[SMS_TEXT_PATH]
                segments = self._diagnostics.add_sms_segments(restore_text(text.plan), filled)
                if segments.count > 1:
                    delivery["parts"] = cut_text(filled, segments.cuts)


def _isolate(
    step: Callable[_Arguments, _Result],
    recipient: RewriteRecipient,
    *arguments: _Arguments.args,
    **options: _Arguments.kwargs,
) -> _Result | DeliveryFailure:
    """Run a step of one recipient's message; return a failure if it raises any error.

    :raises StoreError: unchanged.
    """
    try:
        return step(*arguments, **options)
    except StoreError:
        raise
    except InvalidRequest as error:
        problem = error.problems[0]
        return DeliveryFailure(
            delivery=recipient.delivery, field=problem.field, reason=problem.reason
        )
    except Exception as error:
        name = type(error).__name__  # the text may contain personal data
        _LOG.error(
            "Unexpected error of one recipient", extra={"error": name, "place": _locate(error)}
        )
        reason = f"cannot be rendered ({name})"
        return DeliveryFailure(delivery=recipient.delivery, field="content", reason=reason)


def _locate(error: Exception) -> str:
    """Return the file name and line that raised an error."""
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{PurePath(frame.f_code.co_filename).name}:{line}"

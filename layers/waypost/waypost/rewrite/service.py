"""Rewrite a message for its recipients: compile, register campaign and links, render, count.

The order matters: links are stored before any message carries them, and deliveries are counted
only after all messages are rendered and the response is known to fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NotRequired, TypedDict

from waypost.domains.app_links import get_path_prefix
from waypost.domains.base_url import DomainBaseUrlResolver
from waypost.errors import TokenError, TooLarge
from waypost.ids import CampaignId, derive_campaign_id, derive_link_id, extract_workspace_id
from waypost.models.short_link import parse_code
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.personal_records import PersonalRecordRepository
from waypost.repositories.short_links import ShortLinkRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.rewrite.compiler import compile_message
from waypost.rewrite.diagnostics import LinkEntry
from waypost.rewrite.link_rules import LinkRules
from waypost.rewrite.link_writer import SHORT_LINK_PATH, LinkShortener, compute_expiry
from waypost.rewrite.message_archive import MessageArchive
from waypost.rewrite.renderer import RENDER_BATCH_SIZE, LinkDefiner, MessageRenderer
from waypost.rewrite.schemas import (
    Delivery,
    DeliveryFailure,
    MessageRequest,
    RewriteRecipient,
    RewriteRequest,
)
from waypost.rewrite.sms_segments import SmsSegmentCounts
from waypost.rewrite.url_parameters import UrlParameters
from waypost.tokens import CLICK_PATH, PIXEL_PATH, TokenSealer
from waypost.urls import get_authority

MAX_REWRITE_RESPONSE_BYTES: Final = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of a response: Lambda's limit, less 64 KiB for the HTTP envelope."""

_SHORT_LINK_CHANNELS: Final = ("sms", "whatsapp")


class RewriteResponse(TypedDict):
    """The response of the rewrite function."""

    deliveries: list[Delivery]
    failed: list[DeliveryFailure]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SmsSegmentCounts]


@dataclass(frozen=True, slots=True)
class RewriteService:
    """The use case of the rewrite function. ``retention_days``: for workspaces without a setting of
    their own.
    """

    campaigns: CampaignRepository
    workspaces: WorkspaceRepository
    base_urls: DomainBaseUrlResolver
    short_links: ShortLinkRepository
    personal_records: PersonalRecordRepository
    get_sealer: Callable[[], TokenSealer]
    retention_days: int
    now: Callable[[], datetime]
    message_archive: MessageArchive | None = None

    def rewrite(self, request: RewriteRequest, *, as_json_string: bool = False) -> RewriteResponse:
        """Rewrite a message for all its recipients.

        ``as_json_string``: the response becomes a string in JSON, as over HTTP, and so larger.

        :raises InvalidRequest: if the message itself cannot be read.
        :raises AlreadyExists: if the workspace's or the campaign's id belongs to another name.
        :raises TooLarge: if the response does not fit; nothing is counted.
        :raises StoreUnavailable: before anything is returned; a retry is safe.
        """
        now = self.now()
        if request.dry_run:
            renderer = self.create_dry_run_renderer(request, now)
            return _build_response(renderer, list(_render_outcomes(renderer, request.recipients)))
        renderer = self.create_renderer(request, now)
        outcomes = list(_limit_size(_render_outcomes(renderer, request.recipients)))
        response = _build_response(renderer, outcomes)
        _check_size(response, as_json_string=as_json_string)
        self.campaigns.add_deliveries(
            derive_campaign_id(request.workspace, request.campaign),
            len(response["deliveries"]),
            request.idempotency_key,
            renderer.take_signature_counts(),
        )
        return response

    def create_renderer(self, request: MessageRequest, now: datetime) -> MessageRenderer:
        """Compile a message, then register its campaign. Raises as ``rewrite``."""
        settings = self.workspaces.get_settings_by_name(request.workspace)
        campaign = derive_campaign_id(request.workspace, request.campaign)
        renderer = self._build_renderer(
            request, settings, now, lambda links: self.campaigns.define_links(campaign, links, now)
        )
        self.workspaces.claim_id(request.workspace)  # the settings had the name, except once
        self.campaigns.get_or_create(
            request.workspace,
            request.campaign,
            kind=request.kind,
            channel=request.channel,
            now=now,
        )
        if self.message_archive is not None:
            renderer.archive_message = partial(
                self.message_archive.archive_message,
                campaign,
                request.content.get_forms(),
                renderer.retention_ends_at,
            )
        return renderer

    def create_dry_run_renderer(self, request: MessageRequest, now: datetime) -> MessageRenderer:
        """Compile a message for a renderer that stores and signs nothing. Raises as ``rewrite``."""
        settings = self.workspaces.get_settings_by_name(request.workspace)
        campaign = derive_campaign_id(request.workspace, request.campaign)
        renderer = self._build_renderer(
            request,
            settings,
            now,
            lambda links: [derive_link_id(campaign, link.identity) for link in links],
        )
        renderer.sealer = None
        return renderer

    def _build_renderer(
        self,
        request: MessageRequest,
        settings: WorkspaceSettings,
        now: datetime,
        define_links: LinkDefiner,
    ) -> MessageRenderer:
        sealer = self.get_sealer()
        days = self.retention_days if settings.retention_days is None else settings.retention_days
        campaign = derive_campaign_id(request.workspace, request.campaign)
        base = self.base_urls.resolve_base(extract_workspace_id(campaign), request.sender)
        short_base_url = self._find_short_base_url(request, settings, campaign)
        return MessageRenderer(
            request=request,
            message=compile_message(
                request.channel,
                request.content.get_forms(),
                _build_link_rules(request, settings, sealer, base.url, short_base_url),
                liquid=request.liquid,
                track_text=request.track_text,
                tags=request.tags,
            ),
            parameters=UrlParameters(settings.url_params, add_person_id=settings.cio_id),
            define_links=define_links,
            sealer=sealer,
            build_prefix=(lambda _: short_base_url + SHORT_LINK_PATH)
            if short_base_url
            else (lambda href: base.url + get_path_prefix(base.app_links, href) + CLICK_PATH),
            pixel_prefix=base.url + PIXEL_PATH,
            honeypot_url=base.url + "/",
            campaign_id=campaign,
            shortener=LinkShortener(
                self.short_links,
                self.personal_records,
                campaign,
                now=int(self.now().timestamp()),
                expires_at=compute_expiry(now, settings.short_link_days),
            ),
            retention_ends_at=int((now + timedelta(days=days)).timestamp()),
            has_short_links=bool(short_base_url),
            sent_at=int(now.timestamp()),
        )

    def _find_short_base_url(
        self, request: MessageRequest, settings: WorkspaceSettings, campaign: CampaignId
    ) -> str:
        """Find scheme and host of the short links; empty if links are not shortened."""
        if request.channel in _SHORT_LINK_CHANNELS and getattr(settings.shorten, request.channel):
            return self.base_urls.resolve_short_base(extract_workspace_id(campaign), request.sender)
        return ""


def _build_link_rules(
    request: MessageRequest, settings: WorkspaceSettings, sealer: TokenSealer, *base_urls: str
) -> LinkRules:
    return LinkRules(
        track=request.tracks_links,
        url_params=request.url_params,
        own_authorities=frozenset(filter(None, map(get_authority, base_urls))),
        is_own_link=lambda href: _is_tracking_link(href, sealer),
        schemes=frozenset(scheme.lower() for scheme in settings.schemes),
        secret_links=settings.secret_links,
        never_track=settings.never_track,
        signed_params=frozenset(map(str.lower, settings.signed_params)),
        track_opens=request.tracks_opens and settings.track_opens,
        honeypot=request.honeypot,
        is_own_pixel=lambda token: _can_open(sealer.open_sealer.open, token),
    )


def _is_tracking_link(href: str, sealer: TokenSealer) -> bool:
    """Check if a link is one of this stack's, on whatever host."""
    _, separator, token = href.partition(CLICK_PATH)
    if separator:
        return _can_open(sealer.open, token)
    host, separator, code = href.partition(SHORT_LINK_PATH)
    return bool(separator) and host.count("/") == 2 and parse_code(code) is not None


def _can_open(open_token: Callable[[str], object], token: str) -> bool:
    try:
        open_token(token)
    except TokenError:
        return False
    return True


def _render_outcomes(
    renderer: MessageRenderer, recipients: Sequence[RewriteRecipient]
) -> Iterator[Delivery | DeliveryFailure]:
    for start in range(0, len(recipients), RENDER_BATCH_SIZE):
        yield from renderer.render_recipients(recipients[start : start + RENDER_BATCH_SIZE])


def _limit_size(
    outcomes: Iterator[Delivery | DeliveryFailure],
) -> Iterator[Delivery | DeliveryFailure]:
    """Stop as soon as the texts alone exceed the response's limit. Raises TooLarge."""
    size = 0
    for outcome in outcomes:
        if "content" in outcome:
            size += sum(len(text) for text in outcome["content"].values() if isinstance(text, str))
        if size > MAX_REWRITE_RESPONSE_BYTES:
            raise TooLarge("deliveries", size, MAX_REWRITE_RESPONSE_BYTES)
        yield outcome


def _check_size(response: RewriteResponse, *, as_json_string: bool) -> None:
    """Check that the whole response fits. Raises TooLarge."""
    text = json.dumps(response, ensure_ascii=False)
    size = len((json.dumps(text, ensure_ascii=False) if as_json_string else text).encode())
    if size > MAX_REWRITE_RESPONSE_BYTES:
        raise TooLarge("deliveries", size, MAX_REWRITE_RESPONSE_BYTES)


def _build_response(
    renderer: MessageRenderer, outcomes: Sequence[Delivery | DeliveryFailure]
) -> RewriteResponse:
    response = RewriteResponse(
        deliveries=[outcome for outcome in outcomes if "content" in outcome],
        failed=[outcome for outcome in outcomes if "reason" in outcome],
        links=renderer.build_link_entries(),
        warnings=renderer.build_warnings(),
    )
    if segments := renderer.get_segment_counts():
        response["segments"] = segments
    return response

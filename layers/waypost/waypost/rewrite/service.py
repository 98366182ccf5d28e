"""Rewrites a message for its recipients: compile, note campaign and links, stamp, count as sent.

The order keeps promises: links are defined before any message carries them, and deliveries are
counted only when their messages are ready to be handed over.

What the rewrite function answers, and whether it fits into an answer of Lambda's.

What a message and its workspace decide together: where links point, and which are tracked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, NotRequired, Protocol, TypedDict

from waypost.domains.app_links import get_path_prefix
from waypost.domains.base_url import BaseUrl
from waypost.errors import TokenError, TooLarge
from waypost.ids import CampaignId, LinkId, derive_campaign_id, derive_link_id, derive_workspace_id
from waypost.models.campaign import LinkDefinition
from waypost.models.short_link import parse_code
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.campaigns import CampaignRepository
from waypost.repositories.short_links import ShortLinkRepository
from waypost.repositories.workspaces import WorkspaceRepository
from waypost.rewrite.compiler import compile_message
from waypost.rewrite.diagnostics import LinkEntry
from waypost.rewrite.link_rules import LinkRules
from waypost.rewrite.message_archive import MessageArchive
from waypost.rewrite.renderer import RENDER_BATCH_SIZE, MessageRenderer
from waypost.rewrite.schemas import (
    Delivery,
    DeliveryFailure,
    MessageRequest,
    RewriteRecipient,
    RewriteRequest,
)
from waypost.rewrite.short_links import SHORT_LINK_PATH as SHORT
from waypost.rewrite.short_links import LinkShortener, compute_expiry
from waypost.rewrite.sms_segments import SmsSegmentCounts
from waypost.rewrite.url_parameters import UrlParameters
from waypost.tokens import CLICK_PATH, PIXEL_PATH, TokenSealer
from waypost.urls import get_authority

MAX_REWRITE_RESPONSE_BYTES: Final = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer: Lambda's limit, less some room for what stands around it."""


class RewriteResponse(TypedDict):
    """The answer of the rewrite function."""

    deliveries: list[Delivery]
    failed: list[DeliveryFailure]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SmsSegmentCounts]


def limit_response_size(
    outcomes: Iterator[Delivery | DeliveryFailure],
) -> Iterator[Delivery | DeliveryFailure]:
    """Stops a batch as soon as it is plain that its answer will not fit. Raises TooLarge."""
    size = 0
    for outcome in outcomes:
        if "content" in outcome:
            size += sum(len(text) for text in outcome["content"].values() if isinstance(text, str))
        if size > MAX_REWRITE_RESPONSE_BYTES:
            raise TooLarge("deliveries", size, MAX_REWRITE_RESPONSE_BYTES)
        yield outcome


def build_rewrite_response(
    renderer: MessageRenderer, outcomes: list[Delivery | DeliveryFailure]
) -> RewriteResponse:
    answer = RewriteResponse(
        deliveries=[outcome for outcome in outcomes if "content" in outcome],
        failed=[outcome for outcome in outcomes if "reason" in outcome],
        links=renderer.build_link_entries(),
        warnings=renderer.build_warnings(),
    )
    if segments := renderer.get_segment_counts():
        answer["segments"] = segments
    return answer


def check_response_size(response: RewriteResponse, *, as_json_string: bool) -> None:
    """Whether the answer as a whole fits, ``quoted`` as a string in JSON. Raises TooLarge."""
    text = json.dumps(response, ensure_ascii=False)
    size = len((json.dumps(text, ensure_ascii=False) if as_json_string else text).encode())
    if size > MAX_REWRITE_RESPONSE_BYTES:
        raise TooLarge("deliveries", size, MAX_REWRITE_RESPONSE_BYTES)


_SHORT_LINK_CHANNELS: Final = ("sms", "whatsapp")


class BaseUrlResolver(Protocol):
    """Where the tracking links of a message point to."""

    def resolve_base(self, workspace: str, sender: str | None) -> BaseUrl:
        """Scheme and host, without a slash at the end, and which links open in an app."""
        ...

    def resolve_short_base(self, workspace: str, sender: str | None) -> str:
        """The same for short links: a host of their own, where the workspace has one."""
        ...


@dataclass(frozen=True, slots=True)
class FixedBaseUrl:
    """The same base URL for every message."""

    base_url: str

    def resolve_base(self, workspace: str, sender: str | None) -> BaseUrl:  # noqa: ARG002
        return BaseUrl(self.base_url)

    def resolve_short_base(self, workspace: str, sender: str | None) -> str:  # noqa: ARG002
        return self.base_url


def find_short_base_url(
    base_urls: BaseUrlResolver, request: MessageRequest, settings: WorkspaceSettings
) -> str:
    """Scheme and host of the message's short links; empty where its links are not shortened."""
    if request.channel in _SHORT_LINK_CHANNELS and getattr(settings.shorten, request.channel):
        return base_urls.resolve_short_base(request.workspace, request.sender)
    return ""


def build_link_rules(
    request: MessageRequest, settings: WorkspaceSettings, sealer: TokenSealer, *bases: str
) -> LinkRules:
    """What this message and its workspace decided about links."""
    return LinkRules(
        track=request.track,
        url_params=request.url_params,
        own_authorities=frozenset(filter(None, map(get_authority, bases))),
        is_own_link=lambda href: _is_tracking_link(href, sealer),
        schemes=frozenset(scheme.lower() for scheme in settings.schemes),
        secret_links=settings.secret_links,
        never_track=settings.never_track,
        track_opens=request.track_opens and settings.track_opens,
        honeypot=request.honeypot,
        is_own_pixel=lambda token: _can_open(sealer.open_sealer.open, token),
    )


def _is_tracking_link(href: str, sealer: TokenSealer) -> bool:
    """Whether a link is one of ours, on whatever host. No other path looks like a short one."""
    _, found, token = href.partition(CLICK_PATH)
    if found:
        return _can_open(sealer.open, token)
    host, found, code = href.partition(SHORT)
    return bool(found) and host.count("/") == 2 and parse_code(code) is not None


def _can_open(open_: Callable[[str], object], token: str) -> bool:
    try:
        open_(token)
    except TokenError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class RewriteService:
    """The rewrite function's use case; keeps nothing between messages."""

    campaigns: CampaignRepository
    workspaces: WorkspaceRepository
    base_urls: BaseUrlResolver
    short_links: ShortLinkRepository
    get_sealer: Callable[[], TokenSealer]
    now: Callable[[], datetime]
    message_archive: MessageArchive | None = None

    def rewrite(self, request: RewriteRequest, *, as_json_string: bool = False) -> RewriteResponse:
        """Rewrite a message for all its recipients. ``quoted``: the answer will be a string in
        JSON, as over HTTP, and takes more room.

        :raises InvalidRequest: when the message itself cannot be read.
        :raises TooLarge: when the answer would not fit; nothing was counted then.
        :raises StoreUnavailable: when nothing was handed over; calling again is safe.
        """
        now = self.now()
        if request.dry_run:
            mailing = self.create_dry_run_renderer(request, now)
            return build_rewrite_response(
                mailing, list(_render_outcomes(mailing, request.recipients))
            )
        mailing = self.create_renderer(request, now)
        outcomes = list(limit_response_size(_render_outcomes(mailing, request.recipients)))
        answer = build_rewrite_response(mailing, outcomes)
        check_response_size(answer, as_json_string=as_json_string)
        campaign = derive_campaign_id(request.workspace, request.campaign)
        self.campaigns.add_deliveries(
            campaign,
            len(answer["deliveries"]),
            request.idempotency_key,
            mailing.take_signature_counts(),
        )
        return answer

    def create_renderer(self, request: MessageRequest, now: datetime) -> MessageRenderer:
        """A message ready to be stamped; its campaign is noted. Raises as ``rewrite``."""
        settings = self.workspaces.get_settings(derive_workspace_id(request.workspace))
        mailing = self._build_renderer(request, settings, now)
        campaign = self.campaigns.get_or_create(
            request.workspace,
            request.campaign,
            kind=request.kind,
            channel=request.channel,
            now=now,
        )
        mailing.define_links = partial(self._define_links, campaign, now)
        if self.message_archive is not None:
            self.message_archive.archive_message(
                campaign,
                request.content.get_forms(),
                is_rendered=not request.liquid,
                retention_days=settings.retention_days,
                now=now,
            )
        return mailing

    def create_dry_run_renderer(self, request: MessageRequest, now: datetime) -> MessageRenderer:
        """The same, storing and signing nothing. Raises as ``rewrite``."""
        settings = self.workspaces.get_settings(derive_workspace_id(request.workspace))
        mailing = self._build_renderer(request, settings, now)
        mailing.sealer = None
        return mailing

    def _build_renderer(
        self, request: MessageRequest, settings: WorkspaceSettings, now: datetime
    ) -> MessageRenderer:
        sealer = self.get_sealer()
        base = self.base_urls.resolve_base(request.workspace, request.sender)
        campaign = derive_campaign_id(request.workspace, request.campaign)
        short = find_short_base_url(self.base_urls, request, settings)
        return MessageRenderer(
            request=request,
            message=compile_message(
                request.channel,
                request.content.get_forms(),
                build_link_rules(request, settings, sealer, base.url, short),
                liquid=request.liquid,
                track_text=request.track_text,
            ),
            parameters=UrlParameters(settings.url_params, add_person_id=settings.cio_id),
            define_links=lambda links: [derive_link_id(campaign, link.identity) for link in links],
            sealer=sealer,
            build_prefix=(lambda _: short + SHORT)
            if short
            else (lambda href: base.url + get_path_prefix(base.app_links, href) + CLICK_PATH),
            pixel_prefix=base.url + PIXEL_PATH,
            honeypot_url=base.url + "/",
            campaign_id=campaign,
            shortener=LinkShortener(
                self.short_links, compute_expiry(now, settings.short_link_days)
            ),
            has_short_links=bool(short),
            sent_at=int(now.timestamp()),
        )

    def _define_links(
        self, campaign: CampaignId, now: datetime, links: Sequence[LinkDefinition]
    ) -> Sequence[LinkId]:
        return self.campaigns.define_links(campaign, links, now)


def _render_outcomes(
    renderer: MessageRenderer, recipients: Sequence[RewriteRecipient]
) -> Iterator[Delivery | DeliveryFailure]:
    for start in range(0, len(recipients), RENDER_BATCH_SIZE):
        yield from renderer.render_recipients(recipients[start : start + RENDER_BATCH_SIZE])

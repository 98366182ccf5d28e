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

from waypost.domains.base_url import Base
from waypost.errors import TokenError, TooLarge
from waypost.ids import CampaignCode, LinkCode, campaign_code, link_code, workspace_code
from waypost.models.campaign import LinkDefinition
from waypost.models.short_link import read_code
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.campaigns import CampaignStore
from waypost.repositories.short_links import ShortLinkStore
from waypost.repositories.workspaces import WorkspaceStore
from waypost.rewrite.compiler import compiled_message
from waypost.rewrite.diagnostics import LinkEntry
from waypost.rewrite.link_rules import Rules
from waypost.rewrite.message_archive import MessageKeeper
from waypost.rewrite.renderer import CHUNK, Mailing
from waypost.rewrite.schemas import Delivery, Failure, Message, Recipient, RewriteRequest
from waypost.rewrite.short_links import PATH as SHORT
from waypost.rewrite.short_links import Shortener, expiry
from waypost.rewrite.sms_segments import SegmentCounts
from waypost.rewrite.url_parameters import Parameters
from waypost.tokens import CLICKS, PIXELS, Sealer
from waypost.urls import authority_of

ANSWER_LIMIT: Final = 6 * 1024 * 1024 - 64 * 1024
"""Bytes of an answer: Lambda's limit, less some room for what stands around it."""


class Answer(TypedDict):
    """The answer of the rewrite function."""

    deliveries: list[Delivery]
    failed: list[Failure]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SegmentCounts]


def fitting(outcomes: Iterator[Delivery | Failure]) -> Iterator[Delivery | Failure]:
    """Stops a batch as soon as it is plain that its answer will not fit. Raises TooLarge."""
    size = 0
    for outcome in outcomes:
        if "content" in outcome:
            size += sum(len(text) for text in outcome["content"].values() if isinstance(text, str))
        if size > ANSWER_LIMIT:
            raise TooLarge("deliveries", size, ANSWER_LIMIT)
        yield outcome


def answer_of(mailing: Mailing, outcomes: list[Delivery | Failure]) -> Answer:
    answer = Answer(
        deliveries=[outcome for outcome in outcomes if "content" in outcome],
        failed=[outcome for outcome in outcomes if "reason" in outcome],
        links=mailing.links(),
        warnings=mailing.warnings(),
    )
    if segments := mailing.segments():
        answer["segments"] = segments
    return answer


def check_fits(answer: Answer, *, quoted: bool) -> None:
    """Whether the answer as a whole fits, ``quoted`` as a string in JSON. Raises TooLarge."""
    text = json.dumps(answer, ensure_ascii=False)
    size = len((json.dumps(text, ensure_ascii=False) if quoted else text).encode())
    if size > ANSWER_LIMIT:
        raise TooLarge("deliveries", size, ANSWER_LIMIT)


_SHORTENED: Final = ("sms", "whatsapp")


class BaseUrls(Protocol):
    """Where the tracking links of a message point to."""

    def base(self, workspace: str, sender: str | None) -> Base:
        """Scheme and host, without a slash at the end, and which links open in an app."""
        ...

    def short(self, workspace: str, sender: str | None) -> str:
        """The same for short links: a host of their own, where the workspace has one."""
        ...


@dataclass(frozen=True, slots=True)
class OneBaseUrl:
    """The same base URL for every message."""

    base_url: str

    def base(self, workspace: str, sender: str | None) -> Base:  # noqa: ARG002
        return Base(self.base_url)

    def short(self, workspace: str, sender: str | None) -> str:  # noqa: ARG002
        return self.base_url


def short_base(base_urls: BaseUrls, request: Message, settings: WorkspaceSettings) -> str:
    """Scheme and host of the message's short links; empty where its links are not shortened."""
    if request.channel in _SHORTENED and getattr(settings.shorten, request.channel):
        return base_urls.short(request.workspace, request.sender)
    return ""


def rules_of(request: Message, settings: WorkspaceSettings, sealer: Sealer, *bases: str) -> Rules:
    """What this message and its workspace decided about links."""
    return Rules(
        track=request.track,
        url_params=request.url_params,
        own_authorities=frozenset(filter(None, map(authority_of, bases))),
        is_own_link=lambda href: _is_ours(href, sealer),
        schemes=frozenset(scheme.lower() for scheme in settings.schemes),
        secret_links=settings.secret_links,
        never_track=settings.never_track,
        track_opens=request.track_opens and settings.track_opens,
        honeypot=request.honeypot,
        is_own_pixel=lambda token: _opens(sealer.opens.open, token),
    )


def _is_ours(href: str, sealer: Sealer) -> bool:
    """Whether a link is one of ours, on whatever host. No other path looks like a short one."""
    _, found, token = href.partition(CLICKS)
    if found:
        return _opens(sealer.open, token)
    host, found, code = href.partition(SHORT)
    return bool(found) and host.count("/") == 2 and read_code(code) is not None


def _opens(open_: Callable[[str], object], token: str) -> bool:
    try:
        open_(token)
    except TokenError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Sending:
    """The rewrite function's use case; keeps nothing between messages."""

    campaigns: CampaignStore
    workspaces: WorkspaceStore
    base_urls: BaseUrls
    short_links: ShortLinkStore
    sealer: Callable[[], Sealer]
    now: Callable[[], datetime]
    keeper: MessageKeeper | None = None

    def rewrite(self, request: RewriteRequest, *, quoted: bool = False) -> Answer:
        """Rewrite a message for all its recipients. ``quoted``: the answer will be a string in
        JSON, as over HTTP, and takes more room.

        :raises InvalidRequest: when the message itself cannot be read.
        :raises TooLarge: when the answer would not fit; nothing was counted then.
        :raises StoreUnavailable: when nothing was handed over; calling again is safe.
        """
        now = self.now()
        if request.dry_run:
            mailing = self.rehearsal(request, now)
            return answer_of(mailing, list(_outcomes(mailing, request.recipients)))
        mailing = self.mailing(request, now)
        outcomes = list(fitting(_outcomes(mailing, request.recipients)))
        answer = answer_of(mailing, outcomes)
        check_fits(answer, quoted=quoted)
        campaign = campaign_code(request.workspace, request.campaign)
        self.campaigns.add_sent(
            campaign, len(answer["deliveries"]), request.idempotency_key, mailing.take_signed()
        )
        return answer

    def mailing(self, request: Message, now: datetime) -> Mailing:
        """A message ready to be stamped; its campaign is noted. Raises as ``rewrite``."""
        settings = self.workspaces.settings(workspace_code(request.workspace))
        mailing = self._mailing(request, settings, now)
        campaign = self.campaigns.open(
            request.workspace,
            request.campaign,
            kind=request.kind,
            channel=request.channel,
            now=now,
        )
        mailing.define = partial(self._define, campaign, now)
        if self.keeper is not None:
            self.keeper.keep(
                campaign,
                request.content.given(),
                rendered=not request.liquid,
                retention_days=settings.retention_days,
                now=now,
            )
        return mailing

    def rehearsal(self, request: Message, now: datetime) -> Mailing:
        """The same, storing and signing nothing. Raises as ``rewrite``."""
        settings = self.workspaces.settings(workspace_code(request.workspace))
        mailing = self._mailing(request, settings, now)
        mailing.sealer = None
        return mailing

    def _mailing(self, request: Message, settings: WorkspaceSettings, now: datetime) -> Mailing:
        sealer = self.sealer()
        base = self.base_urls.base(request.workspace, request.sender)
        campaign = campaign_code(request.workspace, request.campaign)
        short = short_base(self.base_urls, request, settings)
        return Mailing(
            request=request,
            message=compiled_message(
                request.channel,
                request.content.given(),
                rules_of(request, settings, sealer, base.url, short),
                liquid=request.liquid,
                track_text=request.track_text,
            ),
            parameters=Parameters(settings.url_params, identify=settings.cio_id),
            define=lambda links: [link_code(campaign, link.identity) for link in links],
            sealer=sealer,
            start=(lambda _: short + SHORT)
            if short
            else (lambda href: base.url + base.app_links.path_prefix(href) + CLICKS),
            pixels=base.url + PIXELS,
            nowhere=base.url + "/",
            campaign=campaign,
            shortener=Shortener(self.short_links, expiry(now, settings.short_link_days)),
            short=bool(short),
            sent=int(now.timestamp()),
        )

    def _define(
        self, campaign: CampaignCode, now: datetime, links: Sequence[LinkDefinition]
    ) -> Sequence[LinkCode]:
        return self.campaigns.define_links(campaign, links, now)


def _outcomes(mailing: Mailing, recipients: Sequence[Recipient]) -> Iterator[Delivery | Failure]:
    for start in range(0, len(recipients), CHUNK):
        yield from mailing.stamp(recipients[start : start + CHUNK])

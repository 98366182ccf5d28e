"""Rewrites a message for its recipients: compile, note campaign and links, stamp, count as sent.

The order keeps promises: links are defined before any message carries them, and deliveries are
counted only when their messages are ready to be handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from waypost.ids import CampaignCode, LinkCode, campaign_code, link_code, workspace_code
from waypost.model.link import LinkDefinition
from waypost.models.workspace import WorkspaceSettings
from waypost.repositories.campaigns import CampaignStore
from waypost.repositories.short_links import ShortLinkStore
from waypost.repositories.workspaces import WorkspaceStore
from waypost.rewrite.compiler import compiled_message
from waypost.rewrite.message_archive import MessageKeeper
from waypost.rewrite.renderer import CHUNK, Mailing
from waypost.rewrite.schemas import Message, Recipient, RewriteRequest
from waypost.rewrite.short_links import PATH as SHORT
from waypost.rewrite.short_links import Shortener, expiry
from waypost.rewrite.url_parameters import Parameters
from waypost.sending.answering import Answer, answer_of, check_fits, fitting
from waypost.sending.deciding import BaseUrls, rules_of, short_base
from waypost.sending.outcomes import Delivery, Failure
from waypost.tokens import Sealer
from waypost.tokens.paths import CLICKS, PIXELS


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

"""Rewrites a message for its recipients: compile, note campaign and links, stamp, count as sent.

The order keeps promises: links are defined before any message carries them, and deliveries are
counted only when their messages are ready to be handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypedDict

from waypost.codes import CampaignCode, LinkCode, workspace_code
from waypost.errors import InvalidRequest, TokenError
from waypost.keeping import MessageKeeper
from waypost.model.link import LinkDefinition
from waypost.model.workspace import WorkspaceSettings
from waypost.rewriting.channels import Json
from waypost.rewriting.message import CompiledMessage, compiled_message
from waypost.rewriting.parameters import Parameters
from waypost.rewriting.plan import Link
from waypost.rewriting.request import Recipient, RewriteRequest
from waypost.rewriting.rules import Rules
from waypost.rewriting.stamping import bound, stamped
from waypost.store.campaigns import CampaignStore
from waypost.store.workspaces import WorkspaceStore
from waypost.tokens import Sealer
from waypost.urls import authority_of

CLICKS = "/e/c/"


class BaseUrls(Protocol):
    """Where the tracking links of a message point to."""

    def for_message(self, workspace: str, sender: str | None) -> str:
        """Scheme and host, without a slash at the end."""
        ...


@dataclass(frozen=True, slots=True)
class OneBaseUrl:
    """The same base URL for every message."""

    base_url: str

    def for_message(self, workspace: str, sender: str | None) -> str:  # noqa: ARG002
        return self.base_url


class Delivery(TypedDict):
    """A message ready to be sent."""

    delivery: str
    content: dict[str, Json]


class Failure(TypedDict):
    """A recipient whose message could not be made, and why."""

    delivery: str
    field: str
    reason: str


class LinkEntry(TypedDict):
    """What became of a link. ``link`` is its code, None where it is not tracked."""

    link: str | None
    url: str
    tag: str | None
    position: int
    tracked: bool
    reason: str | None


class Answer(TypedDict):
    """The answer of the rewrite function."""

    deliveries: list[Delivery]
    failed: list[Failure]
    links: list[LinkEntry]
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class Sending:
    """The rewrite function's use case; keeps nothing between messages."""

    campaigns: CampaignStore
    workspaces: WorkspaceStore
    base_urls: BaseUrls
    sealer: Callable[[], Sealer]
    now: Callable[[], datetime]
    keeper: MessageKeeper | None = None

    def rewrite(self, request: RewriteRequest) -> Answer:
        """Rewrite a message for all its recipients.

        :raises InvalidRequest: when the message itself cannot be read.
        :raises StoreUnavailable: when nothing was handed over; calling again is safe.
        """
        now = self.now()
        settings = self.workspaces.settings(workspace_code(request.workspace))
        sealer = self.sealer()
        base = self.base_urls.for_message(request.workspace, request.sender)
        rules = rules_of(request, settings, sealer, base)
        message = compiled_message(request.channel, request.content.given(), rules)
        campaign = self.campaigns.open(
            request.workspace,
            request.campaign,
            kind=request.kind,
            channel=request.channel,
            now=now,
        )
        codes = self._codes(campaign, message.links, now)
        if self.keeper is not None:
            self.keeper.keep(
                campaign,
                request.content.given(),
                rendered=not request.liquid,
                retention_days=settings.retention_days,
                now=now,
            )
        stamping = _Stamping(request, settings, message, codes, sealer, base + CLICKS, now)
        deliveries, failed = stamping.all()
        self.campaigns.add_sent(campaign, len(deliveries), request.idempotency_key)
        return Answer(
            deliveries=deliveries,
            failed=failed,
            links=[_entry(link, codes) for link in message.links],
            warnings=[],
        )

    def _codes(
        self, campaign: CampaignCode, links: Iterable[Link], now: datetime
    ) -> Mapping[str, LinkCode]:
        definitions: dict[str, LinkDefinition] = {}
        for link in links:
            if link.verdict.tracked:
                definition = LinkDefinition(link.identity, link.url, link.tag, link.position)
                definitions.setdefault(link.identity, definition)
        if not definitions:
            return {}
        codes = self.campaigns.define_links(campaign, list(definitions.values()), now)
        return dict(zip(definitions, codes, strict=True))


def rules_of(
    request: RewriteRequest, settings: WorkspaceSettings, sealer: Sealer, base: str
) -> Rules:
    """What this message and its workspace decided about links."""
    return Rules(
        track=request.track,
        url_params=request.url_params,
        own_authorities=frozenset(filter(None, (authority_of(base),))),
        is_own_link=lambda href: _is_sealed(href, sealer),
        schemes=frozenset(settings.schemes),
        secret_links=settings.secret_links,
        never_track=settings.never_track,
    )


def _is_sealed(href: str, sealer: Sealer) -> bool:
    _, found, token = href.partition(CLICKS)
    if not found:
        return False
    try:
        sealer.open(token)
    except TokenError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Stamping:
    request: RewriteRequest
    settings: WorkspaceSettings
    message: CompiledMessage
    codes: Mapping[str, LinkCode]
    sealer: Sealer
    base: str
    now: datetime

    def all(self) -> tuple[list[Delivery], list[Failure]]:
        parameters = Parameters(self.settings.url_params, identify=self.settings.cio_id)
        deliveries: list[Delivery] = []
        failed: list[Failure] = []
        for recipient in self.request.recipients:
            try:
                deliveries.append(self._one(recipient, parameters))
            except InvalidRequest as error:
                failed += (
                    Failure(delivery=recipient.delivery, field=p.field, reason=p.reason)
                    for p in error.problems
                )
        return deliveries, failed

    def _one(self, recipient: Recipient, parameters: Parameters) -> Delivery:
        query = parameters.for_recipient(recipient.data)
        known = recipient.person is not None
        sent = int(self.now.timestamp())
        sealer = self.sealer.for_recipient(recipient.delivery, recipient.person, sent)
        texts = {
            text.path: stamped(bound(text.plan, self.codes, query, known=known), self.base, sealer)
            for text in self.message.texts
        }
        return Delivery(delivery=recipient.delivery, content=self.message.filled(texts))


def _entry(link: Link, codes: Mapping[str, LinkCode]) -> LinkEntry:
    verdict = link.verdict
    return LinkEntry(
        link=codes[link.identity] if verdict.tracked else None,
        url=link.url,
        tag=link.tag,
        position=link.position,
        tracked=verdict.tracked,
        reason=verdict.reason,
    )

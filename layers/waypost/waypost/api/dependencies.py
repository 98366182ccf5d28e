"""The use cases behind reports, made once a function from its environment, each when first used."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial

from waypost.api.workspace_settings import WorkspaceSettingsService
from waypost.aws.clients import create_boto3_client
from waypost.aws.event_bus import EventBus
from waypost.config import DomainConfig, ReportConfig, ShareLinkConfig
from waypost.domains.events import DomainEventPublisher
from waypost.domains.model import Targets, utc_now
from waypost.domains.service import DomainService
from waypost.errors import ShareAccessDenied
from waypost.privacy.erasure import Erasure
from waypost.privacy.requests import PrivacyRequests
from waypost.reports.campaigns import CampaignReportService
from waypost.reports.people import PeopleReportService
from waypost.reports.share_links import ShareGrant, ShareLinkService, ShareSigner
from waypost.repositories.dynamodb.campaigns import DynamoCampaignRepository
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.domains import DynamoDomainRepository
from waypost.repositories.dynamodb.messages import DynamoMessageRepository
from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaceRepository
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.signer import Keyring


class Services:
    """Made by a function when it starts, which reads nothing yet.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._share_signer_for = lru_cache(maxsize=1)(partial(_create_share_signer, clock))

    @cached_property
    def config(self) -> ReportConfig:
        return ReportConfig.from_env()

    @cached_property
    def dynamodb(self) -> DynamoClient:
        client: DynamoClient = create_boto3_client("dynamodb")
        return client

    @cached_property
    def campaign_repository(self) -> DynamoCampaignRepository:
        return DynamoCampaignRepository(self.dynamodb, self.config.campaigns_table, self.clock)

    @cached_property
    def campaign_reports(self) -> CampaignReportService:
        return CampaignReportService(self.campaign_repository)

    @cached_property
    def people_reports(self) -> PeopleReportService:
        return PeopleReportService(
            campaigns=self.campaign_repository,
            recipients=DynamoRecipientRepository(self.dynamodb, self.config.campaigns_table),
            clicks=DynamoClickRepository(self.dynamodb, self.config.clicks_table),
            clock=self.clock,
        )

    @cached_property
    def message_repository(self) -> DynamoMessageRepository:
        return DynamoMessageRepository(self.dynamodb, self.config.campaigns_table, self.clock)

    @cached_property
    def workspace_repository(self) -> DynamoWorkspaceRepository:
        return DynamoWorkspaceRepository(self.dynamodb, self.config.workspaces_table)

    @cached_property
    def workspace_settings(self) -> WorkspaceSettingsService:
        return WorkspaceSettingsService(self.workspace_repository)

    @cached_property
    def privacy_requests(self) -> PrivacyRequests:
        campaigns = self.config.campaigns_table
        erasing = Erasure(
            clicks=DynamoClickRepository(self.dynamodb, self.config.clicks_table),
            recipients=DynamoRecipientRepository(self.dynamodb, campaigns),
            workspaces=self.workspace_repository,
            messages=self.message_repository,
            campaign_index=self.campaign_repository,
        )
        now = partial(utc_now, self.clock)
        return PrivacyRequests(
            self.workspace_repository, erasing, now=now, monotonic=time.monotonic
        )

    @cached_property
    def domain_service(self) -> DomainService:
        settings = DomainConfig.from_env()
        event_bus = None
        if settings.event_bus:
            event_bus = EventBus(create_boto3_client("events"), settings.event_bus)
        return DomainService(
            domains=DynamoDomainRepository(self.dynamodb, settings.workspaces_table),
            targets=Targets(settings.edge_endpoint, settings.default_host),
            event_publisher=DomainEventPublisher(event_bus),
            now=partial(utc_now, self.clock),
        )

    @cached_property
    def keyring_source(self) -> KeyringSource:
        secrets = create_boto3_client("secretsmanager")
        return KeyringSource(secrets, self.config.keyring_secret, self.clock)

    @cached_property
    def share_links(self) -> ShareLinkService:
        return ShareLinkService(
            self.campaign_repository, self.share_signer, ShareLinkConfig.from_env().pages_url
        )

    def verify_share(self, token: str) -> ShareGrant:
        """The share of a token, signed with the newest key there is. Raises NotShared."""
        try:
            return self.share_signer().verify_token(token)
        except ShareAccessDenied:
            renewed = self.keyring_source.reload_keyring()
            if renewed is None:
                raise
            return self._share_signer_for(renewed).verify_token(token)

    def share_signer(self) -> ShareSigner:
        """Makes and reads shares under the keys as they are now."""
        return self._share_signer_for(self.keyring_source.get_keyring())


def _create_share_signer(clock: Callable[[], float], keyring: Keyring) -> ShareSigner:
    return ShareSigner(keyring, lambda: datetime.fromtimestamp(clock(), UTC))

"""Build repositories and services from a configuration: the composition root.

Handlers, operators' commands, tests and benchmarks all wire their objects here. Each object is
created when it is first used, and imported then: a click waits for every module that the redirect
loads (``tests/unit/redirect/test_imports.py``). Tests assign a cached property to replace it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, Self

from waypost.aws import clients
from waypost.clicks.fallback_queue import FallbackQueue
from waypost.clicks.settings_cache import SettingsCache
from waypost.config import (
    DomainConfig,
    FunctionConfig,
    RedirectConfig,
    ReportConfig,
    RewriteConfig,
    ShareLinkConfig,
    VerifyDomainsConfig,
)
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.repositories.dynamodb.short_links import DynamoShortLinkRepository
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaceRepository
from waypost.tokens.keyring import KeyringSource

if TYPE_CHECKING:
    from aws_lambda_powertools.logging import Logger
    from botocore.config import Config

    from waypost.api.workspace_settings import WorkspaceSettingsService
    from waypost.domains.base_url import DomainBaseUrlResolver
    from waypost.domains.events import DomainEventPublisher
    from waypost.domains.service import DomainService
    from waypost.domains.verification import DomainVerificationService
    from waypost.privacy.export import PersonExport
    from waypost.privacy.requests import PrivacyRequests
    from waypost.redirect.service import RedirectService
    from waypost.reports.campaigns import CampaignReportService
    from waypost.reports.people import PeopleReportService
    from waypost.reports.share_links import ShareLinkService, ShareSignerSource
    from waypost.repositories.campaigns import CampaignRepository
    from waypost.repositories.clicks import ClickRepository
    from waypost.repositories.domains import DomainRepository
    from waypost.repositories.dynamodb.client import DynamoClient
    from waypost.repositories.messages import MessageRepository
    from waypost.repositories.objects import ObjectStore
    from waypost.repositories.personal_records import PersonalRecordRepository
    from waypost.repositories.recipients import RecipientRepository
    from waypost.repositories.short_links import ShortLinkRepository
    from waypost.repositories.workspaces import WorkspaceRepository
    from waypost.rewrite.service import RewriteService
    from waypost.tally.event_publisher import ClickEventBus
    from waypost.tally.service import LateClickRecorder, TallyService
    from waypost.tokens import TokenSealer
    from waypost.web.app import PageService

CLOUDFRONT_REGION: Final = "us-east-1"
"""The region of CloudFront's API and of its certificates."""


@dataclass(frozen=True, slots=True)
class TableNames:
    """Names of the stack's tables; empty for a table that the function does not use."""

    clicks: str = ""
    campaigns: str = ""
    workspaces: str = ""
    short_links: str = ""

    @classmethod
    def from_config(cls, config: FunctionConfig) -> Self:
        """Read the tables that a function's configuration names."""
        return cls(*(getattr(config, f"{field.name}_table", "") for field in fields(cls)))


class Repositories:
    """The repositories of a stack, over one DynamoDB client. ``clock`` gives seconds since 1970."""

    def __init__(
        self, client: DynamoClient, tables: TableNames, clock: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._tables = tables
        self._clock = clock

    @cached_property
    def clicks(self) -> ClickRepository:
        return DynamoClickRepository(self._client, self._tables.clicks)

    @cached_property
    def short_links(self) -> ShortLinkRepository:
        return DynamoShortLinkRepository(self._client, self._tables.short_links)

    @cached_property
    def workspaces(self) -> WorkspaceRepository:
        return DynamoWorkspaceRepository(self._client, self._tables.workspaces)

    @cached_property
    def domains(self) -> DomainRepository:
        from waypost.repositories.dynamodb.domains import DynamoDomainRepository

        return DynamoDomainRepository(self._client, self._tables.workspaces)

    @cached_property
    def campaigns(self) -> CampaignRepository:
        from waypost.repositories.dynamodb.campaigns import DynamoCampaignRepository

        return DynamoCampaignRepository(self._client, self._tables.campaigns, self._clock)

    @cached_property
    def recipients(self) -> RecipientRepository:
        from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository

        return DynamoRecipientRepository(self._client, self._tables.campaigns)

    @cached_property
    def personal_records(self) -> PersonalRecordRepository:
        from waypost.repositories.dynamodb.personal_records import DynamoPersonalRecordRepository

        return DynamoPersonalRecordRepository(self._client, self._tables.campaigns)

    @cached_property
    def messages(self) -> MessageRepository:
        from waypost.repositories.dynamodb.messages import DynamoMessageRepository

        return DynamoMessageRepository(self._client, self._tables.campaigns, self._clock)


def create_repositories(
    config: FunctionConfig, clock: Callable[[], float] = time.time
) -> Repositories:
    """Connect to a function's tables with boto3, which retries."""
    client = clients.create_boto3_client("dynamodb")
    return Repositories(client, TableNames.from_config(config), clock)


# Redirect: clients that give up early


def create_redirect_repositories(config: RedirectConfig) -> Repositories:
    """Connect to the redirect's tables within its time budget."""
    client = clients.create_redirect_client("dynamodb")
    return Repositories(client, TableNames.from_config(config))


def create_redirect_keyring(config: RedirectConfig) -> KeyringSource:
    """Read the keyring within the redirect's time budget."""
    return KeyringSource(clients.create_keyring_client(), config.keyring_secret)


def build_redirect_service(
    config: RedirectConfig,
    repositories: Repositories,
    keyring_source: KeyringSource,
    logger: Logger,
) -> RedirectService:
    """Build the service behind clicks, opens and short links."""
    from waypost.redirect.service import LinkResolver, RedirectService, TokenVerifier

    return RedirectService(
        token_verifier=TokenVerifier(keyring_source),
        clicks=repositories.clicks,
        fallback_queue=FallbackQueue(
            lambda: clients.create_redirect_client("sqs"), config.park_queue_url
        ),
        settings_cache=SettingsCache(repositories.workspaces),
        link_resolver=LinkResolver(repositories.short_links),
        retention_days=config.retention_days,
        logger=logger,
    )


# Tally


def create_click_event_bus(name: str) -> ClickEventBus | None:
    """Connect to the event bus of a stack; None if the stack has no bus."""
    from waypost.tally.event_publisher import ClickEventBus

    return ClickEventBus(clients.create_boto3_client("events"), name) if name else None


def build_tally_service(
    repositories: Repositories,
    event_bus: ClickEventBus | None,
    sleep: Callable[[float], None] = time.sleep,
) -> TallyService:
    """Build the service that counts clicks; without a bus, it publishes no events."""
    from waypost.tally.service import TallyService

    return TallyService(
        clicks=repositories.clicks,
        recipients=repositories.recipients,
        workspaces=repositories.workspaces,
        event_bus=event_bus,
        sleep=sleep,
    )


def build_late_click_recorder(repositories: Repositories) -> LateClickRecorder:
    """Build the service that records clicks from the fallback queue and of replays."""
    from waypost.tally.service import LateClickRecorder

    return LateClickRecorder(
        clicks=repositories.clicks,
        recipients=repositories.recipients,
        workspaces=repositories.workspaces,
    )


# Rewrite


def create_rewrite_service(config: RewriteConfig) -> RewriteService:
    """Build the rewrite function's service on its tables, domains and keyring."""
    from waypost.domains.base_url import DomainBaseUrlResolver

    repositories = create_repositories(config)
    secrets = clients.create_boto3_client("secretsmanager")
    return build_rewrite_service(
        repositories,
        DomainBaseUrlResolver(repositories.domains, config.default_base_url, config.default_host),
        KeyringSource(secrets, config.keyring_secret).get_sealer,
        config.retention_days,
        now=partial(datetime.now, UTC),
    )


def build_rewrite_service(
    repositories: Repositories,
    base_urls: DomainBaseUrlResolver,
    get_sealer: Callable[[], TokenSealer],
    retention_days: int,
    now: Callable[[], datetime],
) -> RewriteService:
    """Build the service that tracks the links of messages and archives them."""
    from waypost.rewrite.message_archive import MessageArchive
    from waypost.rewrite.service import RewriteService

    return RewriteService(
        campaigns=repositories.campaigns,
        workspaces=repositories.workspaces,
        base_urls=base_urls,
        short_links=repositories.short_links,
        personal_records=repositories.personal_records,
        get_sealer=get_sealer,
        retention_days=retention_days,
        now=now,
        message_archive=MessageArchive(repositories.messages),
    )


def create_object_store() -> ObjectStore:
    """Connect to S3, which holds the files of recipients."""
    import boto3

    from waypost.repositories.s3 import S3ObjectStore

    return S3ObjectStore(boto3.client("s3"))


# Domains


def create_domain_event_publisher(
    event_bus: str, client_config: Config | None = None
) -> DomainEventPublisher:
    """Connect to the event bus of a stack; publish metrics only if the stack has no bus."""
    from waypost.aws.event_bus import EventBus
    from waypost.domains.events import DomainEventPublisher

    if not event_bus:
        return DomainEventPublisher()
    client = clients.create_boto3_client("events", client_config)
    return DomainEventPublisher(EventBus(client, event_bus))


def create_domain_verification_service(
    client_config: Config, now: Callable[[], datetime]
) -> DomainVerificationService:
    """Build the service that checks tracking domains; its clients are safe across threads."""
    from waypost.domains.checker import DomainChecker
    from waypost.domains.cloudfront import CloudFrontTenants
    from waypost.domains.dns import DnsResolver
    from waypost.domains.http_probe import HttpProber
    from waypost.domains.sender_identity import SenderIdentities
    from waypost.domains.verification import DomainVerificationService
    from waypost.models.tracking_domain import CnameTargets

    def create_client(service: str, **options: str) -> Any:  # noqa: ANN401 - boto3 has no common type
        return clients.create_boto3_client(service, client_config, **options)

    domains, own = DomainConfig.from_env(), VerifyDomainsConfig.from_env()
    keyring_source = KeyringSource(create_client("secretsmanager"), own.keyring_secret)
    repositories = Repositories(create_client("dynamodb"), TableNames.from_config(domains))
    resolver = DnsResolver()
    return DomainVerificationService(
        domains=repositories.domains,
        workspaces=repositories.workspaces,
        checker=DomainChecker(resolver, HttpProber(resolver), keyring_source),
        cdn_tenants=CloudFrontTenants(
            create_client("cloudfront", region_name=CLOUDFRONT_REGION),
            own.distribution,
            own.connection_group,
        ),
        sender_identities=SenderIdentities(create_client("sesv2")),
        event_publisher=create_domain_event_publisher(domains.event_bus, client_config),
        targets=CnameTargets(domains.edge_endpoint, domains.default_host),
        now=now,
    )


# API and pages


class ApiServices:
    """The services behind the API's routes and the report pages; reads nothing when created.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock

    @cached_property
    def config(self) -> ReportConfig:
        return ReportConfig.from_env()

    @cached_property
    def repositories(self) -> Repositories:
        return create_repositories(self.config, self.clock)

    @cached_property
    def campaign_reports(self) -> CampaignReportService:
        from waypost.reports.campaigns import CampaignReportService

        return CampaignReportService(self.repositories.campaigns, self.repositories.workspaces)

    @cached_property
    def people_reports(self) -> PeopleReportService:
        from waypost.reports.people import PeopleReportService

        return PeopleReportService(
            campaigns=self.repositories.campaigns,
            recipients=self.repositories.recipients,
            clicks=self.repositories.clicks,
            workspaces=self.repositories.workspaces,
            clock=self.clock,
        )

    @cached_property
    def workspace_settings(self) -> WorkspaceSettingsService:
        from waypost.api.workspace_settings import WorkspaceSettingsService

        return WorkspaceSettingsService(self.repositories.workspaces)

    @cached_property
    def privacy_requests(self) -> PrivacyRequests:
        from waypost.models.tracking_domain import utc_now
        from waypost.privacy.erasure import Erasure
        from waypost.privacy.requests import PrivacyRequests

        erasure = Erasure(self.repositories)
        return PrivacyRequests(
            self.repositories.workspaces,
            erasure,
            now=partial(utc_now, self.clock),
            monotonic=time.monotonic,
        )

    @cached_property
    def person_export(self) -> PersonExport:
        from waypost.privacy.export import PersonExport

        return PersonExport(self.repositories, time.monotonic)

    @cached_property
    def domain_service(self) -> DomainService:
        from waypost.domains.service import DomainService
        from waypost.models.tracking_domain import CnameTargets, utc_now

        config = DomainConfig.from_env()
        return DomainService(
            domains=self.repositories.domains,
            workspaces=self.repositories.workspaces,
            targets=CnameTargets(config.edge_endpoint, config.default_host),
            event_publisher=create_domain_event_publisher(config.event_bus),
            now=partial(utc_now, self.clock),
        )

    @cached_property
    def share_signers(self) -> ShareSignerSource:
        from waypost.reports.share_links import ShareSignerSource

        secrets = clients.create_boto3_client("secretsmanager")
        keyring_source = KeyringSource(secrets, self.config.keyring_secret, self.clock)
        return ShareSignerSource(keyring_source, self.clock)

    @cached_property
    def share_links(self) -> ShareLinkService:
        from waypost.reports.share_links import ShareLinkService

        return ShareLinkService(
            self.repositories.campaigns,
            self.repositories.workspaces,
            self.share_signers.get_signer,
            ShareLinkConfig.from_env().pages_url,
        )


def build_page_service(services: ApiServices) -> PageService:
    """Build the report pages on the API's services."""
    from waypost.web.app import PageService
    from waypost.web.views import PageDependencies

    dependencies = PageDependencies(
        campaigns=services.campaign_reports,
        people=services.people_reports,
        messages=services.repositories.messages,
        workspace_settings=services.workspace_settings,
        domains=services.domain_service,
    )
    return PageService(dependencies, services.share_signers.verify_token, services.clock)

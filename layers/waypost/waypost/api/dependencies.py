"""The use cases behind reports, made once a function from its environment, each when first used."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial

from waypost.api.workspace_settings import Configuration
from waypost.aws.clients import patient_client
from waypost.config import DomainSettings, ReportSettings, SharingSettings
from waypost.domains.events import Announcer, BusAnnouncer, Nobody
from waypost.domains.model import Targets, utc_now
from waypost.domains.service import Manager
from waypost.errors import NotShared
from waypost.privacy.erasure import Erasing
from waypost.privacy.requests import Forgetting
from waypost.reports.campaigns import CampaignReports
from waypost.reports.people import PeopleReports
from waypost.reports.share_links import Share, Sharer, Sharing
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.client import DynamoClient
from waypost.repositories.dynamodb.domains import DynamoDomains
from waypost.repositories.dynamodb.messages import DynamoMessages
from waypost.repositories.dynamodb.recipients import DynamoRecipients
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.signer import Keyring


class Services:
    """Made by a function when it starts, which reads nothing yet.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self._sharer = lru_cache(maxsize=1)(partial(_sharer_of, clock))

    @cached_property
    def settings(self) -> ReportSettings:
        return ReportSettings.from_env()

    @cached_property
    def dynamodb(self) -> DynamoClient:
        client: DynamoClient = patient_client("dynamodb")
        return client

    @cached_property
    def stored_campaigns(self) -> DynamoCampaigns:
        return DynamoCampaigns(self.dynamodb, self.settings.campaigns_table, self.clock)

    @cached_property
    def campaigns(self) -> CampaignReports:
        return CampaignReports(self.stored_campaigns)

    @cached_property
    def people(self) -> PeopleReports:
        return PeopleReports(
            campaigns=self.stored_campaigns,
            recipients=DynamoRecipients(self.dynamodb, self.settings.campaigns_table),
            clicks=DynamoClicks(self.dynamodb, self.settings.clicks_table),
            clock=self.clock,
        )

    @cached_property
    def messages(self) -> DynamoMessages:
        return DynamoMessages(self.dynamodb, self.settings.campaigns_table, self.clock)

    @cached_property
    def workspaces(self) -> DynamoWorkspaces:
        return DynamoWorkspaces(self.dynamodb, self.settings.workspaces_table)

    @cached_property
    def configuration(self) -> Configuration:
        return Configuration(self.workspaces)

    @cached_property
    def forgetting(self) -> Forgetting:
        campaigns = self.settings.campaigns_table
        erasing = Erasing(
            ledger=DynamoClicks(self.dynamodb, self.settings.clicks_table),
            recipients=DynamoRecipients(self.dynamodb, campaigns),
            workspaces=self.workspaces,
            messages=self.messages,
            listed=self.stored_campaigns,
        )
        now = partial(utc_now, self.clock)
        return Forgetting(self.workspaces, erasing, now=now, monotonic=time.monotonic)

    @cached_property
    def domains(self) -> Manager:
        settings = DomainSettings.from_env()
        announcer: Announcer = Nobody()
        if settings.event_bus:
            announcer = BusAnnouncer(patient_client("events"), settings.event_bus)
        return Manager(
            domains=DynamoDomains(self.dynamodb, settings.workspaces_table),
            targets=Targets(settings.edge_endpoint, settings.default_host),
            announcer=announcer,
            now=partial(utc_now, self.clock),
        )

    @cached_property
    def keys(self) -> KeyringSource:
        secrets = patient_client("secretsmanager")
        return KeyringSource(secrets, self.settings.keyring_secret, self.clock)

    @cached_property
    def sharing(self) -> Sharing:
        return Sharing(self.stored_campaigns, self.sharer, SharingSettings.from_env().pages_url)

    def opened(self, token: str) -> Share:
        """The share of a token, signed with the newest key there is. Raises NotShared."""
        try:
            return self.sharer().opened(token)
        except NotShared:
            renewed = self.keys.reloaded()
            if renewed is None:
                raise
            return self._sharer(renewed).opened(token)

    def sharer(self) -> Sharer:
        """Makes and reads shares under the keys as they are now."""
        return self._sharer(self.keys.current())


def _sharer_of(clock: Callable[[], float], keyring: Keyring) -> Sharer:
    return Sharer(keyring, lambda: datetime.fromtimestamp(clock(), UTC))

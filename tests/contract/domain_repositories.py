"""Both repositories of tracking domains as a fixture, and a domain with every field set."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import InMemoryDomainRepository
from tests.unit.domains.builders import HTTPS, MINUTE, NOW, WAITING, make_domain
from waypost.composition import Repositories
from waypost.domains.state_machine import apply_check_result
from waypost.domains.status import update_lights
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import (
    AndroidApp,
    AppLinks,
    DomainCertificate,
    TrackingDomain,
)
from waypost.repositories.domains import DomainRepository

ACME, GLOBEX = derive_workspace_id("acme"), derive_workspace_id("globex")


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> DomainRepository:
    if request.param == "memory":
        return InMemoryDomainRepository()
    tables = request.getfixturevalue("tables")
    return Repositories(tables.client, tables.names).domains


def build_domain_with_history() -> TrackingDomain:
    """Build a domain with a value in every field."""
    apps = AppLinks(
        ios=("ABCDE12345.com.acme.app",),
        android=(AndroidApp("com.acme.app", ("AA:BB",)),),
        urls=("https://acme.com/*",),
    )
    checked = apply_check_result(
        apply_check_result(make_domain(), HTTPS, NOW), WAITING, NOW + MINUTE
    )
    certificate = DomainCertificate("issued", NOW, "a problem once")
    return replace(
        update_lights(checked, "e.waypost.example", NOW), app_links=apps, certificate=certificate
    )

"""A workspace's tracking domains; checking one at once is a function of its own."""

from __future__ import annotations

from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from waypost.api.app import WORKSPACE, Given, Name, routes
from waypost.domains.schemas import AddDomain, ChangeDomain
from waypost.domains.status import DomainList, DomainStatus

DOMAINS: Final = f"{WORKSPACE}/domains"
DOMAIN: Final = f"{DOMAINS}/<host>"

Host = Annotated[str, Path(min_length=1, max_length=253)]

router = routes()


@router.get(DOMAINS, summary="A workspace's tracking domains", tags=["domains"])
def list_domains(services: Given, workspace: Name) -> DomainList:
    return services.domains.list(workspace)


@router.post(DOMAINS, summary="Add a tracking domain", tags=["domains"], status_code=201)
def add_domain(
    services: Given, workspace: Name, domain: Annotated[AddDomain, Body()]
) -> DomainStatus:
    return services.domains.add(workspace, domain)


@router.get(DOMAIN, summary="A tracking domain's status", tags=["domains"])
def show_domain(services: Given, workspace: Name, host: Host) -> DomainStatus:
    return services.domains.show(workspace, host)


@router.post(DOMAIN, summary="Change a tracking domain", tags=["domains"])
def change_domain(
    services: Given, workspace: Name, host: Host, change: Annotated[ChangeDomain, Body()]
) -> DomainStatus:
    return services.domains.change(workspace, host, change)


@router.delete(DOMAIN, summary="Stop using a tracking domain", tags=["domains"])
def remove_domain(services: Given, workspace: Name, host: Host) -> DomainStatus:
    return services.domains.remove(workspace, host)

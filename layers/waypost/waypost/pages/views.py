"""What the pages of a whole workspace show, to whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from waypost.api.workspace_settings import Configuration
from waypost.domains.service import Manager
from waypost.pages.asking import Asked
from waypost.reports.campaigns import CampaignReports
from waypost.reports.people import PeopleReports
from waypost.repositories.messages import MessageStore
from waypost.responses import Response
from waypost.web.access import Access
from waypost.web.rendering import page

_CAMPAIGNS: Final = 25
_CLICKS: Final = 50


@dataclass(frozen=True, slots=True)
class Reports:
    """What pages are made of; nothing here writes."""

    campaigns: CampaignReports
    people: PeopleReports
    messages: MessageStore
    configuration: Configuration
    domains: Manager


def workspace(reports: Reports, access: Access, asked: Asked) -> Response:
    """Where a workspace's visitor starts: its campaigns, and what else to look up."""
    scope = access.to(asked.workspace)
    listed = reports.campaigns.listed(asked.workspace, asked.cursor, _CAMPAIGNS)
    return page("workspace.html", scope=scope, listed=listed, first=asked.cursor is None)


def person(reports: Reports, access: Access, asked: Asked) -> Response:
    """What a person clicked, over all campaigns: so only for who may see the whole workspace."""
    name = asked.named("person")
    scope = access.to(asked.workspace, people=True)
    activity = reports.people.activity(asked.workspace, name, asked.cursor, _CLICKS)
    return page("person.html", scope=scope, person=name, activity=activity)


def domains(reports: Reports, access: Access, asked: Asked) -> Response:
    """The tracking domains, each with its lights and the next step."""
    scope = access.to(asked.workspace)
    listed = reports.domains.list(asked.workspace).domains
    return page("domains.html", scope=scope, domains=listed)


def settings(reports: Reports, access: Access, asked: Asked) -> Response:
    """What the workspace decided."""
    scope = access.to(asked.workspace)
    told = reports.configuration.told(asked.workspace).model_dump()
    return page("settings.html", scope=scope, settings=told)

"""What a workspace decided, and share links to its report pages."""

from __future__ import annotations

from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.params import Body

from waypost.api.app import WORKSPACE, Given, Name, routes
from waypost.management.settings_body import SettingsChange
from waypost.reports.share_links import ShareAnswer, ShareRequest

SETTINGS: Final = f"{WORKSPACE}/settings"

router = routes()


@router.get(SETTINGS, summary="A workspace's settings", tags=["settings"])
def read_settings(services: Given, workspace: Name) -> SettingsChange:
    return services.configuration.told(workspace)


@router.put(SETTINGS, summary="Change the settings given", tags=["settings"])
def change_settings(
    services: Given, workspace: Name, change: Annotated[SettingsChange, Body()]
) -> SettingsChange:
    return services.configuration.changed(workspace, change)


@router.post(f"{WORKSPACE}/shares", summary="Make a share link", tags=["sharing"], status_code=201)
def share(
    services: Given, workspace: Name, request: Annotated[ShareRequest, Body()]
) -> ShareAnswer:
    return services.sharing.share(workspace, request)

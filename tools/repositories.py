"""Where an operator's commands find the stores of a stack, and its tally.

The variables that functions have (CLICKS_TABLE and so on) go before the stack's own resources.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from tools.stack import DeployedStack, EmbeddedStackClient
from waypost.repositories.dynamodb.campaigns import DynamoCampaignRepository
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.repositories.dynamodb.messages import DynamoMessageRepository
from waypost.repositories.dynamodb.recipients import DynamoRecipientRepository
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaceRepository
from waypost.tally.event_publisher import ClickEventBus
from waypost.tally.service import TallyService


@dataclass(frozen=True, slots=True)
class StackRepositories:
    """The stack's stores and its tally."""

    clicks: DynamoClickRepository
    campaigns: DynamoCampaignRepository
    recipients: DynamoRecipientRepository
    workspaces: DynamoWorkspaceRepository
    messages: DynamoMessageRepository
    tally: TallyService

    @classmethod
    def from_stack(cls, stack: DeployedStack | EmbeddedStackClient) -> Self:
        """The desk of a stack. Raises NoStack where it, or a table of it, cannot be found."""
        dynamodb = stack.client("dynamodb")
        clicks = DynamoClickRepository(
            dynamodb, _resource_name(stack, "CLICKS_TABLE", "ClicksTable")
        )
        campaigns_table = _resource_name(stack, "CAMPAIGNS_TABLE", "CampaignsTable")
        recipients = DynamoRecipientRepository(dynamodb, campaigns_table)
        workspaces = DynamoWorkspaceRepository(
            dynamodb, _resource_name(stack, "WORKSPACES_TABLE", "WorkspacesTable")
        )
        tally = TallyService(
            clicks=clicks,
            recipients=recipients,
            workspaces=workspaces,
            event_bus=ClickEventBus(
                stack.client("events"), _resource_name(stack, "EVENT_BUS", "EventBus")
            ),
        )
        campaigns = DynamoCampaignRepository(dynamodb, campaigns_table)
        messages = DynamoMessageRepository(dynamodb, campaigns_table)
        return cls(clicks, campaigns, recipients, workspaces, messages, tally)


def _resource_name(
    stack: DeployedStack | EmbeddedStackClient, variable: str, logical_id: str
) -> str:
    return os.environ.get(variable) or stack.get_resource_id(logical_id)

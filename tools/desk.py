"""Where an operator's commands find the stores of a stack, and its tally.

The variables that functions have (CLICKS_TABLE and so on) go before the stack's own resources.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from tools.embedded import EmbeddedStack
from tools.stack import Stack
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.messages import DynamoMessages
from waypost.repositories.dynamodb.recipients import DynamoRecipients
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tally.event_publisher import EventBus
from waypost.tally.service import Tally


@dataclass(frozen=True, slots=True)
class Desk:
    """The stack's stores and its tally."""

    clicks: DynamoClicks
    campaigns: DynamoCampaigns
    recipients: DynamoRecipients
    workspaces: DynamoWorkspaces
    messages: DynamoMessages
    tally: Tally

    @classmethod
    def of(cls, stack: Stack | EmbeddedStack) -> Self:
        """The desk of a stack. Raises NoStack where it, or a table of it, cannot be found."""
        dynamodb = stack.client("dynamodb")
        clicks = DynamoClicks(dynamodb, _name(stack, "CLICKS_TABLE", "ClicksTable"))
        campaigns_table = _name(stack, "CAMPAIGNS_TABLE", "CampaignsTable")
        recipients = DynamoRecipients(dynamodb, campaigns_table)
        workspaces = DynamoWorkspaces(dynamodb, _name(stack, "WORKSPACES_TABLE", "WorkspacesTable"))
        tally = Tally(
            ledger=clicks,
            recipients=recipients,
            workspaces=workspaces,
            bus=EventBus(stack.client("events"), _name(stack, "EVENT_BUS", "EventBus")),
        )
        campaigns = DynamoCampaigns(dynamodb, campaigns_table)
        messages = DynamoMessages(dynamodb, campaigns_table)
        return cls(clicks, campaigns, recipients, workspaces, messages, tally)


def _name(stack: Stack | EmbeddedStack, variable: str, logical_id: str) -> str:
    return os.environ.get(variable) or stack.resource(logical_id)

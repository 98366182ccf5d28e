"""Archive the first message of a campaign, so that its clicks can be shown on the message.

Only the first is archived: all messages of a campaign come from one template. The archive stores
the message as the pipeline sent it. A template holds no personal data; a message that was rendered
before shows one recipient's, so ``waypost.reports.share_links`` restricts who sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes, policy
from typing import Final

from waypost.cache import Cache
from waypost.errors import StoreUnavailable
from waypost.ids import CampaignId
from waypost.models.campaign import SentMessage
from waypost.observability import Metric, emit_metric
from waypost.repositories.messages import MessageRepository
from waypost.rewrite.links.channels import Json

_MAX_CACHED_CAMPAIGNS: Final = 10_000
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class MessageArchive:
    """Writes each campaign's message once per process.

    ``default_retention_days``: for workspaces without a setting of their own.
    """

    repository: MessageRepository
    default_retention_days: int
    _archived_campaigns: Cache[CampaignId, bool] = field(
        default_factory=lambda: Cache(_MAX_CACHED_CAMPAIGNS)
    )

    def archive_message(
        self,
        campaign: CampaignId,
        content: Mapping[str, Json],
        *,
        is_rendered: bool,
        retention_days: int | None,
        now: datetime,
    ) -> None:
        """Store the HTML of a campaign's first message.

        Never raises: the message is sent even if it cannot be archived.
        """
        if self._archived_campaigns.get(campaign):
            return
        html = extract_html(content)
        if html is None:
            return
        days = self.default_retention_days if retention_days is None else retention_days
        message = SentMessage(
            campaign=campaign,
            html=html,
            rendered=is_rendered,
            expires=int(now.timestamp()) + days * _DAY_SECONDS,
        )
        try:
            self.repository.add(message)
        except StoreUnavailable:
            emit_metric(Metric.MESSAGE_NOT_KEPT)
        else:
            self._archived_campaigns.set(campaign, True)


def extract_html(content: Mapping[str, Json]) -> str | None:
    """Extract the HTML of a message's content or of its MIME message; None if it has no HTML."""
    html, raw = content.get("html"), content.get("mime")
    if isinstance(html, str) or not isinstance(raw, str):
        return html if isinstance(html, str) else None
    try:
        part = message_from_bytes(raw.encode(), policy=policy.default).get_body(("html",))
        return None if part is None else str(part.get_content())
    except Exception:  # hostile headers raise many kinds of errors in the parser
        emit_metric(Metric.MESSAGE_NOT_KEPT)
        return None

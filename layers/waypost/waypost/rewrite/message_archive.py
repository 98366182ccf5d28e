"""Keeps what a campaign sent, so that its clicks can be shown on the message itself.

The first message of a campaign is kept and no other: a mailing of one template is one message. It
is kept as the pipeline gave it. A template names nobody; content that was rendered before shows
what one recipient got, and only who may see people may see it (``waypost.reports.share_links``).
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

_MAX_KNOWN_CAMPAIGNS: Final = 10_000
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class MessageArchive:
    """Asks the store once a campaign and process. ``days``: how long a message is kept where its
    workspace says nothing else.
    """

    repository: MessageRepository
    default_retention_days: int
    _known_campaigns: Cache[CampaignId, bool] = field(
        default_factory=lambda: Cache(_MAX_KNOWN_CAMPAIGNS)
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
        """Keep the HTML of a message if it is its campaign's first. Never raises for want of a
        store: a message that cannot be kept is still to be sent.
        """
        if self._known_campaigns.get(campaign):
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
            self._known_campaigns.set(campaign, True)


def extract_html(content: Mapping[str, Json]) -> str | None:
    """The HTML of a message's content, that of its MIME part included; None where it has none."""
    html, raw = content.get("html"), content.get("mime")
    if isinstance(html, str) or not isinstance(raw, str):
        return html if isinstance(html, str) else None
    try:
        part = message_from_bytes(raw.encode(), policy=policy.default).get_body(("html",))
        return None if part is None else str(part.get_content())
    except Exception:  # hostile headers break the parser in many ways, and the message is to go out
        emit_metric(Metric.MESSAGE_NOT_KEPT)
        return None

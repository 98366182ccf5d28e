"""Archive the first message of a campaign, so that its clicks can be shown on the message.

All messages of a campaign come from one template, so the archive stores one, as the pipeline sent
it. A template, or a message for several recipients at once, names no one. A message that was
rendered for one recipient may: ``waypost.reports.share_links`` restricts who sees it, an erasure of
the recipient deletes it, and the archive stores the message of a second recipient to replace it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from waypost.cache import Cache
from waypost.errors import InvalidRequest, StoreUnavailable
from waypost.ids import CampaignId
from waypost.models.campaign import (
    MESSAGE_SLOTS,
    MessageAbsence,
    RecipientMark,
    SentMessage,
)
from waypost.observability import Metric, create_logger, emit_metric
from waypost.repositories.messages import MessageRepository
from waypost.rewrite.links import mime
from waypost.rewrite.links.channels import Json

_MAX_CACHED_CAMPAIGNS: Final = 10_000
_LOGGER: Final = create_logger("rewrite")


@dataclass(frozen=True, slots=True)
class MessageArchive:
    """Writes each campaign's message, or those of two recipients, once per process."""

    repository: MessageRepository
    _archived: Cache[CampaignId, frozenset[str | None]] = field(
        default_factory=lambda: Cache(_MAX_CACHED_CAMPAIGNS)
    )
    """The recipients whose messages this process has tried to archive."""

    def archive_message(
        self,
        campaign: CampaignId,
        content: Mapping[str, Json],
        expires: int,
        only_for: RecipientMark | None,
    ) -> None:
        """Store the HTML of a campaign's first message, until a time in seconds since 1970.
        ``only_for``: the recipient it was rendered for, None for several.

        Never raises: the message is sent even if it cannot be archived.
        """
        recipient = only_for.hash if only_for else None
        archived = self._archived.get(campaign) or frozenset[str | None]()
        if {None, recipient} & archived or len(archived) == MESSAGE_SLOTS:
            return
        try:
            html = extract_html(content)
            if html is None:
                self.repository.note_absence(campaign, MessageAbsence.NO_HTML)
            else:
                self.repository.add(
                    SentMessage(
                        campaign=campaign,
                        html=html,
                        rendered=recipient is not None,
                        expires=expires,
                        recipient=recipient,
                    )
                )
        except StoreUnavailable as error:
            emit_metric(Metric.MESSAGE_NOT_KEPT, reason="store")
            _LOGGER.warning("Message not archived", extra={"campaign": campaign}, exc_info=error)
        except _UnreadableMime:
            emit_metric(Metric.MESSAGE_NOT_KEPT, reason="mime")
        else:
            self._archived.set(campaign, archived | {recipient})


class _UnreadableMime(Exception):
    """Raised when the HTML of a MIME message cannot be extracted."""


def extract_html(content: Mapping[str, Json]) -> str | None:
    """Extract the HTML of a message's content or of its MIME message; None if it has no HTML.

    :raises _UnreadableMime: if the parser fails on the MIME message.
    """
    html, raw = content.get("html"), content.get("mime")
    if isinstance(html, str) or not isinstance(raw, str):
        return html if isinstance(html, str) else None
    try:
        return mime.extract_html_part(raw, "content.mime")
    except InvalidRequest as e:
        raise _UnreadableMime from e

"""Verified sending domains as SES knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


class SesIdentities:
    """``waypost.domains.senders.Identities``, of one region."""

    def __init__(self, client: SESV2Client) -> None:
        self._client = client

    def verified(self, domain: str) -> bool | None:
        try:
            answer = self._client.get_email_identity(EmailIdentity=domain)
        except self._client.exceptions.NotFoundException:
            return None
        return bool(answer.get("VerifiedForSendingStatus"))

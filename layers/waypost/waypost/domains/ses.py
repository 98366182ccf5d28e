"""Verified sending domains as SES knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.errors import StoreUnavailable

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
        except (BotoCoreError, ClientError, ResponseParserError) as e:
            raise StoreUnavailable(f"SES: {type(e).__name__}") from e
        if "VerifiedForSendingStatus" not in answer:  # saying nothing is not saying no
            raise StoreUnavailable("SES: an answer without the status")
        return answer["VerifiedForSendingStatus"]

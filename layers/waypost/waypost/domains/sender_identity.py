"""Whether a sending domain is verified: links of a message may only use a tracking domain whose
owner has shown that the sender's domain is theirs.

Verified sending domains as SES knows them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.domains.hostnames import iter_parent_domains
from waypost.errors import StoreUnavailable
from waypost.models.tracking_domain import TrackingDomain

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


VERIFICATION_MAX_AGE: Final = timedelta(days=1)
"""Until a verified sending domain is asked for again: SES answers one such question a second."""


class SenderIdentities:
    """``waypost.domains.sender_identity.Identities``, of one region."""

    def __init__(self, client: SESV2Client) -> None:
        self._client = client

    def get_verification(self, domain: str) -> bool | None:
        try:
            answer = self._client.get_email_identity(EmailIdentity=domain)
        except self._client.exceptions.NotFoundException:
            return None
        except (BotoCoreError, ClientError, ResponseParserError) as e:
            raise StoreUnavailable(f"SES: {type(e).__name__}") from e
        if "VerifiedForSendingStatus" not in answer:  # saying nothing is not saying no
            raise StoreUnavailable("SES: an answer without the status")
        return answer["VerifiedForSendingStatus"]


def refresh_verification(
    domain: TrackingDomain, sender_identities: SenderIdentities, now: datetime
) -> TrackingDomain:
    """The domain with its sending domain looked up; what the operator marked stays."""
    sending = domain.sending
    fresh = (
        sending.verified
        and sending.asked is not None
        and now - sending.asked < VERIFICATION_MAX_AGE
    )
    if sending.by_operator or fresh:
        return domain
    verified = is_sender_verified(sending.domain, sender_identities)
    since = sending.since if verified == sending.verified else now
    looked_up = replace(sending, verified=verified, since=since, asked=now)
    return domain.with_sending_domain(looked_up, now, f"{sending.domain}, as SES has it")


def is_sender_verified(domain: str, sender_identities: SenderIdentities) -> bool:
    """The nearest identity decides: one of acme.com covers mail.acme.com as well."""
    for name in (domain, *iter_parent_domains(domain)):
        verified = sender_identities.get_verification(name)
        if verified is not None:
            return verified
    return False

"""Verification of sending domains in SES.

A message may use a tracking domain only if its owner has proved to own the sender's domain.
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
"""Age at which a verified sending domain is looked up again: SES allows one lookup a second."""


class SenderIdentities:
    """The SES identities of one region."""

    def __init__(self, client: SESV2Client) -> None:
        self._client = client

    def get_verification(self, domain: str) -> bool | None:
        """Return True if SES has verified the domain, None if SES has no identity for it.

        Raises StoreUnavailable.
        """
        try:
            response = self._client.get_email_identity(EmailIdentity=domain)
        except self._client.exceptions.NotFoundException:
            return None
        except (BotoCoreError, ClientError, ResponseParserError) as e:
            raise StoreUnavailable(f"SES: {type(e).__name__}") from e
        if "VerifiedForSendingStatus" not in response:  # an incomplete response is not "no"
            raise StoreUnavailable("SES: no verification status in the response")
        return response["VerifiedForSendingStatus"]


def refresh_verification(
    domain: TrackingDomain, sender_identities: SenderIdentities, now: datetime
) -> TrackingDomain:
    """Look up the sending domain if it is due; the operator's confirmation is not looked up."""
    sending = domain.sending
    is_fresh = (
        sending.verified
        and sending.asked is not None
        and now - sending.asked < VERIFICATION_MAX_AGE
    )
    if sending.by_operator or is_fresh:
        return domain
    verified = is_sender_verified(sending.domain, sender_identities)
    since = sending.since if verified == sending.verified else now
    refreshed = replace(sending, verified=verified, since=since, asked=now)
    return domain.with_sending_domain(refreshed, now, f"{sending.domain}, as SES has it")


def is_sender_verified(domain: str, sender_identities: SenderIdentities) -> bool:
    """Return the state of the nearest identity: one of acme.com covers mail.acme.com as well."""
    for name in (domain, *iter_parent_domains(domain)):
        verified = sender_identities.get_verification(name)
        if verified is not None:
            return verified
    return False

"""Whether a sending domain is verified: links of a message may only use a tracking domain whose
owner has shown that the sender's domain is theirs.

Verified sending domains as SES knows them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.domains.hostnames import parents
from waypost.domains.model import TrackingDomain
from waypost.errors import StoreUnavailable

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client


ASK_AGAIN: Final = timedelta(days=1)
"""Until a verified sending domain is asked for again: SES answers one such question a second."""


class Identities(Protocol):
    def verified(self, domain: str) -> bool | None:
        """Whether this very domain is a verified identity; None where it is none at all.

        Raises StoreUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class NoIdentities:
    """Where messages are not sent with SES: only what the operator marks is verified."""

    def verified(self, domain: str) -> bool | None:  # noqa: ARG002 - the interface's parameter
        return None


def with_sending(domain: TrackingDomain, identities: Identities, now: datetime) -> TrackingDomain:
    """The domain with its sending domain looked up; what the operator marked stays."""
    sending = domain.sending
    fresh = sending.verified and sending.asked is not None and now - sending.asked < ASK_AGAIN
    if sending.by_operator or fresh:
        return domain
    verified = is_verified(sending.domain, identities)
    since = sending.since if verified == sending.verified else now
    looked_up = replace(sending, verified=verified, since=since, asked=now)
    return domain.with_sending(looked_up, now, f"{sending.domain}, as SES has it")


def is_verified(domain: str, identities: Identities) -> bool:
    """The nearest identity decides: one of acme.com covers mail.acme.com as well."""
    for name in (domain, *parents(domain)):
        verified = identities.verified(name)
        if verified is not None:
            return verified
    return False


class SesIdentities:
    """``waypost.domains.sender_identity.Identities``, of one region."""

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

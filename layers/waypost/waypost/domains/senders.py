"""Whether a sending domain is verified: links of a message may only use a tracking domain whose
owner has shown that the sender's domain is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from waypost.domains.domain import TrackingDomain
from waypost.domains.hosts import parents


class Identities(Protocol):
    def verified(self, domain: str) -> bool | None:
        """Whether this very domain is a verified identity; None where it is none at all."""
        ...


@dataclass(frozen=True, slots=True)
class NoIdentities:
    """Where messages are not sent with SES: only what the operator marks is verified."""

    def verified(self, domain: str) -> bool | None:  # noqa: ARG002 - the interface's parameter
        return None


def with_sending(domain: TrackingDomain, identities: Identities, now: datetime) -> TrackingDomain:
    """The domain with its sending domain looked up; what the operator marked stays."""
    sending = domain.sending
    if sending.by_operator:
        return domain
    verified = is_verified(sending.domain, identities)
    if verified == sending.verified:
        return domain
    return replace(domain, sending=replace(sending, verified=verified, since=now))


def is_verified(domain: str, identities: Identities) -> bool:
    """The nearest identity decides: one of acme.com covers mail.acme.com as well."""
    for name in (domain, *parents(domain)):
        verified = identities.verified(name)
        if verified is not None:
            return verified
    return False

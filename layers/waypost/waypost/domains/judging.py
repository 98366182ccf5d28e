"""What a look makes of a domain: its stage, whether its sender is verified, the next step to HTTPS,
and the lights that tell all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from waypost.domains import certificates, sender_identity, state_machine
from waypost.domains.certificates import Edge
from waypost.domains.check_results import Findings
from waypost.domains.deadline import Deadline
from waypost.domains.lights import panel
from waypost.domains.model import STACK, TrackingDomain
from waypost.domains.sender_identity import Identities
from waypost.domains.targets import Targets
from waypost.errors import StoreError
from waypost.observability import Metric, count


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks SES and the CDN while there is time; whom it did not ask, the next run does."""

    edge: Edge
    identities: Identities
    targets: Targets

    def judged(
        self, domain: TrackingDomain, findings: Findings, deadline: Deadline, now: datetime
    ) -> TrackingDomain:
        judged = state_machine.advance(domain, findings, now)
        # What was seen counts even where SES or the CDN cannot be asked; the next check will.
        try:
            if deadline.over:
                judged = state_machine.put_off(judged, now)
            elif domain.workspace != STACK:
                judged = sender_identity.with_sending(judged, self.identities, now)
        except StoreError:
            count(Metric.DOMAIN_CHECK_BROKE, reason="senders")
        try:
            if deadline.over:
                judged = state_machine.put_off(judged, now)
            else:
                judged = certificates.secure(judged, self.edge, now)
        except StoreError:
            count(Metric.DOMAIN_CHECK_BROKE, reason="edge")
        return self.lit(judged, now)

    def lit(self, domain: TrackingDomain, now: datetime) -> TrackingDomain:
        """The domain with the lights that its findings light."""
        return panel.relit(domain, self.targets.shown(domain), now)

"""The names of ours that a tracking domain may point at."""

from __future__ import annotations

from dataclasses import dataclass

from waypost.domains.model import STACK, TrackingDomain


@dataclass(frozen=True, slots=True)
class Targets:
    """``endpoint`` is the CDN's own name; ``default_host`` the stack's own before it, empty where
    there is none.
    """

    endpoint: str
    default_host: str = ""

    def of(self, domain: TrackingDomain) -> tuple[str, ...]:
        """Where this domain's CNAMEs may lead, the one to be shown first."""
        if domain.workspace == STACK or not self.default_host:
            return (self.endpoint,)
        return (self.default_host, self.endpoint)

    def shown(self, domain: TrackingDomain) -> str:
        """The name that this domain's owner is asked to point at."""
        return self.of(domain)[0]

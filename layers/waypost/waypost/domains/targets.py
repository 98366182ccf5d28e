"""The names of ours that a tracking domain may point at."""

from __future__ import annotations

from dataclasses import dataclass

from waypost.domains.domain import STACK, TrackingDomain


@dataclass(frozen=True, slots=True)
class Targets:
    """``endpoint`` is the CDN's own name; ``default_host`` the stack's own before it. Either is
    empty where a stack has none.
    """

    endpoint: str = ""
    default_host: str = ""

    def of(self, domain: TrackingDomain) -> tuple[str, ...]:
        """Where this domain's CNAMEs may lead, the one to be shown first."""
        before_the_cdn = () if domain.workspace == STACK else (self.default_host,)
        return tuple(name for name in (*before_the_cdn, self.endpoint) if name)

    def shown(self, domain: TrackingDomain) -> str:
        """The name that this domain's owner is asked to point at."""
        return next(iter(self.of(domain)), "")

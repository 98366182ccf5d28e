"""What one check of a tracking domain saw. Facts only: ``machine`` and ``lights`` judge them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MAX_RESULT_VALUES: Final = 8
"""Of addresses, names and issuers that were found: what people read. Who owns a zone can make them
many, and findings are read with their domain for every message.
"""
MAX_RESULT_TEXT: Final = 200
"""Of what a server said, in characters."""

DnsVerdict = Literal[
    "cname",  # the chain of CNAMEs reaches us
    "flattened",  # no CNAME, but our addresses and our proof (ALIAS, ANAME, CNAME flattening)
    "proxied",  # other addresses, and our proof: the customer's own proxy
    "missing",  # nothing there, or no such name
    "elsewhere",  # leads somewhere else
    "loop",  # CNAMEs that lead back
    "too_long",  # more CNAMEs than resolvers follow
    "conflict",  # several CNAMEs at one name
    "timeout",  # name servers did not answer in time
    "failed",  # name servers answered with a failure
    "unseen",  # not looked at yet: the time of whoever waited was over
]

ProbeOutcome = Literal[
    "ours",  # our signed answer came back
    "not_ours",  # something else answered: a parked page, another site
    "redirect",  # a redirect, which is not followed
    "unsafe",  # an address that is not public; nothing was sent
    "no_address",  # nothing to connect to
    "timeout",
    "unreachable",
    "broken",  # the answer is not HTTP, or TLS failed below the certificate
    "expired",  # the certificate, and so on down
    "not_yet_valid",
    "wrong_name",
    "self_signed",
    "untrusted",
    "skipped",  # not asked, since DNS was not right
    "unseen",  # not looked at yet: the time of whoever waited was over
]


@dataclass(frozen=True, slots=True)
class DnsResult:
    """Where a host leads. ``chain`` starts with the host; ``settled`` is False where some of the
    zone's own name servers answer otherwise; ``wildcard`` says that any name beside it gets the
    same answer; ``proof`` that the TXT record is there.
    """

    verdict: DnsVerdict
    chain: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    proof: bool = False
    settled: bool = True
    wildcard: bool = False

    @property
    def is_correct(self) -> bool:
        return self.verdict in ("cname", "flattened", "proxied")

    @property
    def points_to_cdn(self) -> bool:
        """Whether requests for the host arrive at our edge, with no proxy in between."""
        return self.verdict in ("cname", "flattened")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a request for our path ended. ``detail`` is for people: a status, a target, an error."""

    outcome: ProbeOutcome
    detail: str = ""
    hsts: str | None = None
    """The Strict-Transport-Security header, where an HTTPS answer had one."""
    at_edge: bool = False
    """Whether the CDN itself answered, even if not with our answer."""

    @property
    def is_ours(self) -> bool:
        return self.outcome == "ours"


SKIPPED_PROBE = ProbeResult("skipped")
UNSEEN_PROBE = ProbeResult("unseen")


@dataclass(frozen=True, slots=True)
class HstsResult:
    """Whether browsers refuse plain HTTP for a host, and what makes them."""

    source: Literal["none", "own", "parent", "preload", "unseen"] = "none"
    name: str = ""

    @property
    def is_enforced(self) -> bool:
        return self.source not in ("none", "unseen")


@dataclass(frozen=True, slots=True)
class CaaResult:
    """Whether Amazon may issue a certificate for a host. ``name`` is where the records stand."""

    allows: Literal["yes", "no", "unknown", "unseen"] = "unknown"
    name: str = ""
    issuers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check, whole, unless something of it is ``unseen``."""

    dns: DnsResult
    http: ProbeResult = SKIPPED_PROBE
    https: ProbeResult = SKIPPED_PROBE
    hsts: HstsResult = HstsResult()
    caa: CaaResult = CaaResult()

    @property
    def is_complete(self) -> bool:
        """Whether everything was looked at. What was not says nothing of the domain."""
        probes = (self.http.outcome, self.https.outcome)
        return "unseen" not in (self.dns.verdict, *probes, self.hsts.source, self.caa.allows)

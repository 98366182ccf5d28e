"""The result of one check of a tracking domain: facts, which ``domains`` interprets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MAX_RESULT_VALUES: Final = 8
"""Maximum of addresses, names and issuers in a result, which people read. The owner of a zone can
add any number, and the result is read with its domain for every message.
"""
MAX_RESULT_TEXT: Final = 200
"""Maximum length of a server's text, in characters."""

DnsVerdict = Literal[
    "cname",  # the chain of CNAMEs reaches this stack
    "flattened",  # no CNAME, but this stack's addresses and proof (ALIAS, ANAME, flattening)
    "proxied",  # other addresses and the proof: the customer's own proxy
    "missing",  # no record, or no such name
    "elsewhere",  # leads to another name or address
    "loop",  # CNAMEs that form a loop
    "too_long",  # more CNAMEs than resolvers follow
    "conflict",  # several CNAMEs at one name
    "timeout",  # name servers did not answer in time
    "failed",  # name servers answered with a failure
    "unseen",  # not checked: the time was over
]

ProbeOutcome = Literal[
    "ours",  # the signed response of this stack
    "not_ours",  # the response of another server: a parked page, another site
    "redirect",  # a redirect, which is not followed
    "unsafe",  # an address that is not public; nothing was sent
    "no_address",  # no address to connect to
    "timeout",
    "unreachable",
    "broken",  # not HTTP, or a TLS failure that is not the certificate's
    "expired",  # this and the next four: the certificate
    "not_yet_valid",
    "wrong_name",
    "self_signed",
    "untrusted",
    "skipped",  # not sent, because DNS is not correct
    "unseen",  # not checked: the time was over
]


@dataclass(frozen=True, slots=True)
class DnsResult:
    """The DNS state of a host.

    ``chain`` starts with the host. ``settled`` is False if some of the zone's own name servers have
    another CNAME. ``wildcard``: any name beside the host gets the same answer. ``proof``: the TXT
    record exists.
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
        """Return True if requests for the host arrive at the CDN without a proxy in between."""
        return self.verdict in ("cname", "flattened")


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The outcome of one request. ``detail`` is for people: a status, a target, an error."""

    outcome: ProbeOutcome
    detail: str = ""
    hsts: str | None = None
    """The Strict-Transport-Security header of an HTTPS response."""
    at_edge: bool = False
    """True if the CDN itself answered, even without this stack's response."""

    @property
    def is_ours(self) -> bool:
        return self.outcome == "ours"


SKIPPED_PROBE = ProbeResult("skipped")
UNSEEN_PROBE = ProbeResult("unseen")


@dataclass(frozen=True, slots=True)
class HstsResult:
    """The reason that browsers refuse plain HTTP for a host, if they do."""

    source: Literal["none", "own", "parent", "preload", "unseen"] = "none"
    name: str = ""

    @property
    def is_enforced(self) -> bool:
        return self.source not in ("none", "unseen")


@dataclass(frozen=True, slots=True)
class CaaResult:
    """The CAA permission for Amazon to issue a certificate. ``name`` has the deciding records."""

    allows: Literal["yes", "no", "unknown", "unseen"] = "unknown"
    name: str = ""
    issuers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; it is complete if no part is ``unseen``."""

    dns: DnsResult
    http: ProbeResult = SKIPPED_PROBE
    https: ProbeResult = SKIPPED_PROBE
    hsts: HstsResult = HstsResult()
    caa: CaaResult = CaaResult()

    @property
    def is_complete(self) -> bool:
        """Return True if every part was checked."""
        probes = (self.http.outcome, self.https.outcome)
        return "unseen" not in (self.dns.verdict, *probes, self.hsts.source, self.caa.allows)

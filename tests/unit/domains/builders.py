"""Tracking domains and check results for tests of domain rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from waypost.ids import derive_workspace_id
from waypost.models.domain_check import (
    CaaResult,
    CheckResult,
    DnsResult,
    DnsVerdict,
    HstsResult,
    ProbeResult,
)
from waypost.models.tracking_domain import SendingDomain, TrackingDomain, create_domain

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOST = "links.acme.com"
TARGET = "e.waypost.example"
EDGE = "d111.cloudfront.example"

OWN_PROBE = ProbeResult("ours")
FAILED_PROBE = ProbeResult("unreachable", "Connection refused")


def make_domain(**changes: object) -> TrackingDomain:
    """Build a newly added domain with a verified sending domain."""
    domain = create_domain(derive_workspace_id("acme"), "acme", HOST, "acme.com", "f00d", NOW)
    domain = replace(domain, sending=SendingDomain("acme.com", verified=True, since=NOW))
    return replace(domain, **changes)  # type: ignore[arg-type]


def make_findings(
    dns: DnsVerdict = "cname",
    http: ProbeResult = FAILED_PROBE,
    https: ProbeResult = FAILED_PROBE,
    hsts: HstsResult | None = None,
    caa: CaaResult | None = None,
    **dns_fields: object,
) -> CheckResult:
    chain = (HOST, TARGET) if dns == "cname" else (HOST,)
    dns_result = DnsResult(dns, **{"chain": chain} | dns_fields)  # type: ignore[arg-type]
    return CheckResult(dns_result, http, https, hsts or HstsResult(), caa or CaaResult("yes"))


WAITING = make_findings("missing")
ISSUING = make_findings("cname")
HTTP_ONLY = make_findings("proxied", http=OWN_PROBE, proof=True)
HTTPS = make_findings("cname", http=OWN_PROBE, https=OWN_PROBE)
BLOCKED = make_findings("proxied", http=OWN_PROBE, hsts=HstsResult("own", HOST), proof=True)
UNREACHABLE = make_findings("proxied", proof=True)

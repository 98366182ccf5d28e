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
    """A domain that was just added, its sending domain verified."""
    fresh = create_domain(derive_workspace_id("acme"), "acme", HOST, "acme.com", "f00d", NOW)
    fresh = replace(fresh, sending=SendingDomain("acme.com", verified=True, since=NOW))
    return replace(fresh, **changes)  # type: ignore[arg-type]


def make_findings(
    dns: DnsVerdict = "cname",
    http: ProbeResult = FAILED_PROBE,
    https: ProbeResult = FAILED_PROBE,
    hsts: HstsResult | None = None,
    caa: CaaResult | None = None,
    **of_dns: object,
) -> CheckResult:
    chain = (HOST, TARGET) if dns == "cname" else (HOST,)
    where = DnsResult(dns, **{"chain": chain} | of_dns)  # type: ignore[arg-type]
    return CheckResult(where, http, https, hsts or HstsResult(), caa or CaaResult("yes"))


WAITING = make_findings("missing")
ISSUING = make_findings("cname")
HTTP_ONLY = make_findings("proxied", http=OWN_PROBE, proof=True)
HTTPS = make_findings("cname", http=OWN_PROBE, https=OWN_PROBE)
BLOCKED = make_findings("proxied", http=OWN_PROBE, hsts=HstsResult("own", HOST), proof=True)
UNREACHABLE = make_findings("proxied", proof=True)

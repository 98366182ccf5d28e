"""Tracking domains and findings as the tests of their rules need them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from waypost.domains.check_results import Caa, Dns, DnsVerdict, Findings, Hsts, Probe
from waypost.domains.model import Sending, TrackingDomain, new_domain
from waypost.ids import workspace_code

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOST = "links.acme.com"
TARGET = "e.waypost.example"
EDGE = "d111.cloudfront.example"

OURS = Probe("ours")
SILENT = Probe("unreachable", "Connection refused")


def domain(**changes: object) -> TrackingDomain:
    """A domain that was just added, its sending domain verified."""
    fresh = new_domain(workspace_code("acme"), "acme", HOST, "acme.com", "f00d", NOW)
    fresh = replace(fresh, sending=Sending("acme.com", verified=True, since=NOW))
    return replace(fresh, **changes)  # type: ignore[arg-type]


def seen(
    dns: DnsVerdict = "cname",
    http: Probe = SILENT,
    https: Probe = SILENT,
    hsts: Hsts | None = None,
    caa: Caa | None = None,
    **of_dns: object,
) -> Findings:
    chain = (HOST, TARGET) if dns == "cname" else (HOST,)
    where = Dns(dns, **{"chain": chain} | of_dns)  # type: ignore[arg-type]
    return Findings(where, http, https, hsts or Hsts(), caa or Caa("yes"))


WAITING = seen("missing")
ISSUING = seen("cname")
HTTP_ONLY = seen("proxied", http=OURS, proof=True)
HTTPS = seen("cname", http=OURS, https=OURS)
BLOCKED = seen("proxied", http=OURS, hsts=Hsts("own", HOST), proof=True)
UNREACHABLE = seen("proxied", proof=True)

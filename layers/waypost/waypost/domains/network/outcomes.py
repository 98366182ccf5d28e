"""What an exchange over HTTP or HTTPS says of a host, in the words of findings."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from waypost.domains.check_results import MOST_TEXT, Probe, ProbeOutcome
from waypost.domains.network.wire import Reply

# The numbers are OpenSSL's X509_V_ERR_…, stable for decades; ssl does not name them.
_CERTIFICATE: Final[dict[int, ProbeOutcome]] = {
    9: "not_yet_valid",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    62: "wrong_name",
}


def distrusted(error: ssl.SSLCertVerificationError) -> Probe:
    """A certificate that browsers do not trust, and why."""
    return Probe(_CERTIFICATE.get(error.verify_code, "untrusted"), error.verify_message)


def judged(reply: Reply, is_ours: Callable[[bytes], bool], *, secure: bool) -> Probe:
    """An answer; a policy counts over HTTPS alone."""
    policy = reply.headers.get("strict-transport-security") if secure else None
    hsts = policy and policy[:MOST_TEXT]
    at_edge = reply.headers.get("server", "").lower() == "cloudfront"
    if 300 <= reply.status < 400:
        target = reply.headers.get("location", "")[:MOST_TEXT]
        return Probe("redirect", f"{reply.status} to {target}", hsts, at_edge)
    if reply.status == 200 and is_ours(reply.body):
        return Probe("ours", "", hsts, at_edge)
    return Probe("not_ours", f"status {reply.status}", hsts, at_edge)

"""The texts of the status lights, for customers: what a check found, and the next step."""

from __future__ import annotations

from typing import Final

from waypost.models.domain_check import DnsVerdict, ProbeOutcome

DNS_MESSAGES: Final[dict[DnsVerdict, str]] = {
    "missing": "no record",
    "loop": "CNAMEs that form a loop",
    "too_long": "more CNAMEs in a row than resolvers follow",
    "conflict": "several CNAMEs at the same name",
    "timeout": "no answer from the name servers in time",
    "failed": "an error from the name servers (SERVFAIL)",
    "unseen": "not checked yet",
}

DNS_STEPS: Final[dict[DnsVerdict, str]] = {
    "loop": "Remove the CNAMEs in the loop and keep the expected one.",
    "too_long": "Point the CNAME straight at the expected name.",
    "conflict": "Keep the expected CNAME and remove the others; a name can have only one.",
    "timeout": "Check that the zone's name servers are up. Waypost repeats the check.",
    "failed": "Check the zone at its provider (DNSSEC, delegation). Waypost repeats the check.",
}

PROBE_MESSAGES: Final[dict[ProbeOutcome, str]] = {
    "ours": "Waypost's own response",
    "not_ours": "a response from another server",
    "redirect": "a redirect",
    "unsafe": "an address that is not public",
    "no_address": "no address to connect to",
    "timeout": "no response in time",
    "unreachable": "no connection",
    "broken": "a broken connection or response",
    "expired": "a certificate that has expired",
    "not_yet_valid": "a certificate that is not valid yet",
    "wrong_name": "a certificate for another name",
    "self_signed": "a self-signed certificate",
    "untrusted": "a certificate that browsers do not trust",
    "skipped": "not checked because the DNS record is not correct",
    "unseen": "not checked yet",
}

PROXY_STEPS: Final[dict[ProbeOutcome, str]] = {
    "not_ours": "Configure your proxy to forward every path to the expected name.",
    "redirect": "Configure your proxy to forward requests instead of redirecting them.",
    "unsafe": "Point the record at public addresses only.",
    "no_address": "Point the record at your proxy's addresses.",
    "timeout": "Check that your proxy is up and reaches the expected name.",
    "unreachable": "Check that your proxy is up and listens on this port.",
    "broken": "Check the proxy's TLS and HTTP settings.",
    "expired": "Renew your proxy's certificate.",
    "not_yet_valid": "Check the certificate's dates and the proxy's clock.",
    "wrong_name": "Give your proxy a certificate for this host.",
    "self_signed": "Give your proxy a certificate from a public authority.",
    "untrusted": "Give your proxy a certificate from a public authority, with its whole chain.",
}

HSTS_STEPS: Final = {
    "none": "",
    "own": "Set up HTTPS: browsers that know the policy do not open HTTP links.",
    "parent": "Set up HTTPS: browsers that know the parent's policy do not open HTTP links.",
    "preload": "Set up HTTPS: browsers ship a list with this domain and refuse plain HTTP.",
}

UNSEEN_STEP: Final = "The check ran out of time. The schedule repeats it within minutes."

WAIT_STEP: Final = "Wait a few minutes. If it takes hours, contact the operator of Waypost."

OUTAGE_STEP: Final = "HTTPS worked before. If the next checks fail too, contact the operator."
"""HTTPS fails on CloudFront although the certificate exists: the customer can do nothing."""

"""The words of the lights: what can be found, and what is to be done about it."""

from __future__ import annotations

from typing import Final

from waypost.models.domain_check import DnsVerdict, ProbeOutcome

DNS_MESSAGES: Final[dict[DnsVerdict, str]] = {
    "missing": "no record at all",
    "loop": "CNAMEs that lead back to where they started",
    "too_long": "more CNAMEs in a row than resolvers follow",
    "conflict": "several CNAMEs at the same name",
    "timeout": "no answer from the name servers in time",
    "failed": "a failure from the name servers (SERVFAIL)",
    "unseen": "not looked at yet",
}

DNS_STEPS: Final[dict[DnsVerdict, str]] = {
    "loop": "Remove the CNAMEs in the loop and keep the expected one.",
    "too_long": "Point the CNAME straight at the expected name.",
    "conflict": "Keep the expected CNAME and remove the others; a name can have only one.",
    "timeout": "Check that the zone's name servers are up; the check is repeated by itself.",
    "failed": "Check the zone at its provider (DNSSEC, delegation); the check repeats by itself.",
}

PROBE_MESSAGES: Final[dict[ProbeOutcome, str]] = {
    "ours": "Waypost's own answer",
    "not_ours": "an answer of something else",
    "redirect": "a redirect",
    "unsafe": "an address that is not public",
    "no_address": "no address to connect to",
    "timeout": "no answer in time",
    "unreachable": "no connection",
    "broken": "a broken connection or answer",
    "expired": "a certificate that has expired",
    "not_yet_valid": "a certificate that is not valid yet",
    "wrong_name": "a certificate for another name",
    "self_signed": "a self-signed certificate",
    "untrusted": "a certificate that browsers do not trust",
    "skipped": "not checked, since DNS is not right",
    "unseen": "not looked at yet",
}

PROXY_STEPS: Final[dict[ProbeOutcome, str]] = {
    "not_ours": "Let your proxy pass every path on to the expected name.",
    "redirect": "Let your proxy pass requests on instead of redirecting them.",
    "unsafe": "Point the record at public addresses only.",
    "no_address": "Point the record at your proxy's addresses.",
    "timeout": "Check that your proxy is up and reaches the expected name.",
    "unreachable": "Check that your proxy is up and listens on this port.",
    "broken": "Check the proxy's TLS and HTTP settings.",
    "expired": "Renew your proxy's certificate.",
    "not_yet_valid": "Check the certificate's dates and the proxy's clock.",
    "wrong_name": "Give your proxy a certificate for this host.",
    "self_signed": "Give your proxy a certificate of a public authority.",
    "untrusted": "Give your proxy a certificate of a public authority, with its whole chain.",
}


HSTS_STEPS: Final = {
    "none": "",
    "own": "Get HTTPS working, or browsers that know the policy will not open links.",
    "parent": "Get HTTPS working, or browsers that know the parent's policy will not open links.",
    "preload": "Get HTTPS working: browsers ship a list with this domain and refuse plain HTTP.",
}

UNSEEN_STEP: Final = "There was no time to look at everything; the schedule does, within minutes."

WAIT_STEP: Final = "Wait; it takes minutes. If it takes hours, tell whoever runs Waypost."

OUTAGE_STEP: Final = "It worked before and is checked again; if this stays, tell whoever runs it."
"""HTTPS of ours went away under a certificate that is there: nothing that a customer can do."""

"""The check of one host: DNS, HTTP, HTTPS, HSTS and CAA.

HSTS (HTTP Strict Transport Security, RFC 6797) makes browsers refuse plain HTTP. It has three
sources: the host's own header, a parent's header with ``includeSubDomains``, and the list that
browsers ship. A header counts only over HTTPS with a valid certificate (section 8.1); the first of
several headers counts, and ``max-age=0`` ends the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from hstspreload import in_hsts_preload

from waypost.domains import probe_token
from waypost.domains.dns import (
    DNS_TIMEOUT_SECONDS,
    DnsResolver,
    check_caa,
    check_dns_records,
)
from waypost.domains.hostnames import iter_parent_domains
from waypost.domains.http_probe import HttpProber, WebScheme
from waypost.domains.network import NO_DEADLINE, Deadline
from waypost.models.domain_check import (
    UNSEEN_PROBE,
    CaaResult,
    CheckResult,
    DnsResult,
    HstsResult,
    ProbeResult,
)
from waypost.tokens.keyring import KeyringSource

MAX_HSTS_PARENTS: Final = 3
"""Parents to request, nearest first: the outermost, which usually have policies for subdomains."""


def parse_hsts_header(header: str | None) -> tuple[bool, bool]:
    """Return if a header enables HSTS, and if it does so for subdomains."""
    directives = dict(_parse_directives(header or ""))
    age = directives.get("max-age", "")
    if not age.isascii() or not age.isdigit() or not age.strip("0"):  # of any length
        return False, False
    return True, "includesubdomains" in directives


def _parse_directives(header: str) -> Iterable[tuple[str, str]]:
    for part in header.split(";"):
        name, _, value = part.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def check_hsts(
    host: str, own_header: str | None, get_header: Callable[[str], str | None]
) -> HstsResult:
    """Return the first source of HSTS for a host.

    ``get_header`` requests a parent's header over HTTPS.
    """
    if parse_hsts_header(own_header)[0]:
        return HstsResult("own", host)
    if in_hsts_preload(host):
        return HstsResult("preload", host)
    for parent in list(iter_parent_domains(host))[-MAX_HSTS_PARENTS:]:
        _, for_subdomains = parse_hsts_header(get_header(parent))
        if for_subdomains:
            return HstsResult("parent", parent)
    return HstsResult()


DNS_CHECK_SECONDS: Final = 20.0
"""Time limit for the DNS queries of a check; the owner of the names decides how many there are. A
correct domain takes one second, and a domain this slow does not work for recipients either.
"""


@dataclass(frozen=True, slots=True)
class DomainChecker:
    """Checks hosts with a resolver and a prober; it has no state between checks."""

    resolver: DnsResolver
    prober: HttpProber
    keys: KeyringSource

    def check(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline = NO_DEADLINE
    ) -> CheckResult:
        """Check everything about a host until the deadline. ``targets`` are the stack's names.

        HSTS and CAA are checked only if HTTPS does not work.
        """
        check = self._start_check(deadline)
        return check.check_web(host, check.check_dns(host, proof, targets))

    def check_dns(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline = NO_DEADLINE
    ) -> DnsResult:
        """Check only the DNS records of a host."""
        return self._start_check(deadline).check_dns(host, proof, targets)

    def _start_check(self, deadline: Deadline) -> _TimedCheck:
        resolver = self.resolver.with_time_limit(
            min(DNS_CHECK_SECONDS, deadline.get_remaining_seconds())
        )
        return _TimedCheck(
            resolver, self.prober.with_resolver(resolver, deadline), self.keys, deadline
        )


class _OutOfTimeError(Exception):
    """No time is left to request a parent's HSTS header."""


@dataclass(frozen=True, slots=True)
class _TimedCheck:
    """One check of one host, with the time limits of its resolver and prober."""

    resolver: DnsResolver
    prober: HttpProber
    keys: KeyringSource
    deadline: Deadline

    def check_dns(self, host: str, proof: str, targets: Collection[str]) -> DnsResult:
        result = check_dns_records(self.resolver, host, proof, targets)
        return DnsResult("unseen") if self._is_out_of_time() else result

    def check_web(self, host: str, dns: DnsResult) -> CheckResult:
        if dns.verdict == "unseen":
            return CheckResult(dns, UNSEEN_PROBE, UNSEEN_PROBE)
        if not dns.is_correct:
            return CheckResult(dns)
        http, https = self._probe("http", host), self._probe("https", host)
        dns = _correct_dns_verdict(dns, http)
        if https.is_ours:
            return CheckResult(dns, http, https)
        caa = self._check_caa(host) if dns.points_to_cdn else CaaResult()
        return CheckResult(dns, http, https, self._check_hsts(host, https), caa)

    def _is_out_of_time(self) -> bool:
        """Return True if a query could have been cut short.

        Then a missing answer says nothing about the host.
        """
        return self.deadline.get_remaining_seconds() < DNS_TIMEOUT_SECONDS

    def _check_caa(self, host: str) -> CaaResult:
        result = check_caa(self.resolver, host)
        is_unseen = result.allows == "unknown" and self._is_out_of_time()
        return CaaResult("unseen") if is_unseen else result

    def _probe(self, scheme: WebScheme, host: str) -> ProbeResult:
        nonce = probe_token.create_nonce()
        return self.prober.probe(
            scheme, host, probe_token.PROBE_PATH + nonce, lambda body: self._is_ours(nonce, body)
        )

    def _is_ours(self, nonce: str, body: bytes) -> bool:
        """Return True if a body is signed; reload the keyring once, because a key may be new."""
        if probe_token.is_probe_answer(self.keys.get_keyring(), nonce, body):
            return True
        renewed = self.keys.reload_keyring()
        return renewed is not None and probe_token.is_probe_answer(renewed, nonce, body)

    def _check_hsts(self, host: str, https: ProbeResult) -> HstsResult:
        try:
            return check_hsts(host, https.hsts, self._get_hsts_header)
        except _OutOfTimeError:
            return HstsResult("unseen")

    def _get_hsts_header(self, parent: str) -> str | None:
        probe = self.prober.probe("https", parent, "/", lambda _: False)
        if probe == UNSEEN_PROBE:
            raise _OutOfTimeError(parent)
        return probe.hsts


def _correct_dns_verdict(dns: DnsResult, http: ProbeResult) -> DnsResult:
    """Correct "proxied" to "flattened" if this stack's CDN refuses a proven host.

    Then the record is flattened, with addresses that the CDN has in another place.
    """
    if dns.verdict == "proxied" and http.at_edge and not http.is_ours:
        return replace(dns, verdict="flattened")
    return dns

"""One check of one domain, from DNS to HTTPS. What follows from it is decided elsewhere.

Whether browsers refuse plain HTTP for a host: HTTP Strict Transport Security, RFC 6797.

Three ways lead there: the host's own header, a parent's header with ``includeSubDomains``, and
the list that browsers ship. A header counts only over HTTPS with a valid certificate (8.1), the
first one if there are several, and ``max-age=0`` takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from hstspreload import in_hsts_preload

from waypost.domains import dns as caa
from waypost.domains import dns as records
from waypost.domains import dns as resolving
from waypost.domains import probe_token
from waypost.domains.dns import DnsResolver
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
"""Parents that are asked, nearest first: the outermost, where policies for all below stand."""


def parse_hsts_header(header: str | None) -> tuple[bool, bool]:
    """Whether a header puts HSTS in force, and whether for subdomains too."""
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
    """What makes browsers refuse plain HTTP for a host, the first that is found.

    ``own`` is the host's header; ``header_of`` asks a parent for its own over HTTPS.
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
"""From its beginning on, a check asks DNS for so long; how many questions there are is up to who
owns the names. A sound domain takes one second, and one this slow reaches no recipient either.
"""


@dataclass(frozen=True, slots=True)
class DomainChecker:
    """Looks at domains with a resolver and a prober; holds no state between checks."""

    resolver: DnsResolver
    prober: HttpProber
    keys: KeyringSource

    def check(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline = NO_DEADLINE
    ) -> CheckResult:
        """Everything there is to see of a host until then. ``targets`` are our names.

        HSTS and CAA are asked only where they matter: while HTTPS does not work.
        """
        look = self._start_check(deadline)
        return look.check_web(host, look.check_dns(host, proof, targets))

    def check_dns(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline = NO_DEADLINE
    ) -> DnsResult:
        """Only where the host leads."""
        return self._start_check(deadline).check_dns(host, proof, targets)

    def _start_check(self, deadline: Deadline) -> _TimedCheck:
        resolver = self.resolver.with_time_limit(
            min(DNS_CHECK_SECONDS, deadline.get_remaining_seconds())
        )
        return _TimedCheck(
            resolver, self.prober.with_resolver(resolver, deadline), self.keys, deadline
        )


class _OutOfTimeError(Exception):
    """There was no time to ask a parent for its header."""


@dataclass(frozen=True, slots=True)
class _TimedCheck:
    """One look at one host, with a resolver and a prober whose time is running."""

    resolver: DnsResolver
    prober: HttpProber
    keys: KeyringSource
    deadline: Deadline

    def check_dns(self, host: str, proof: str, targets: Collection[str]) -> DnsResult:
        found = records.check_dns_records(self.resolver, host, proof, targets)
        return DnsResult("unseen") if self._is_out_of_time() else found

    def check_web(self, host: str, dns: DnsResult) -> CheckResult:
        if dns.verdict == "unseen":
            return CheckResult(dns, UNSEEN_PROBE, UNSEEN_PROBE)
        if not dns.is_correct:
            return CheckResult(dns)
        http, https = self._probe("http", host), self._probe("https", host)
        dns = _correct_dns_verdict(dns, http)
        if https.is_ours:
            return CheckResult(dns, http, https)
        permission = self._check_caa(host) if dns.points_to_cdn else CaaResult()
        return CheckResult(dns, http, https, self._check_hsts(host, https), permission)

    def _is_out_of_time(self) -> bool:
        """Whether one more question might not have had its time, and one of those before had not:
        then a missing answer says nothing of the host.
        """
        return self.deadline.get_remaining_seconds() < resolving.DNS_TIMEOUT_SECONDS

    def _check_caa(self, host: str) -> CaaResult:
        found = caa.check_caa(self.resolver, host)
        return (
            CaaResult("unseen") if found.allows == "unknown" and self._is_out_of_time() else found
        )

    def _probe(self, scheme: WebScheme, host: str) -> ProbeResult:
        nonce = probe_token.create_nonce()
        return self.prober.probe(
            scheme, host, probe_token.PROBE_PATH + nonce, lambda body: self._is_ours(nonce, body)
        )

    def _is_ours(self, nonce: str, body: bytes) -> bool:
        """A key that had to sign at once may be known to whoever answered, and not yet here."""
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
    """A proven host whose addresses are not ours today, but where our CDN refuses the name: a
    flattened record, resolved in another place.
    """
    if dns.verdict == "proxied" and http.at_edge and not http.is_ours:
        return replace(dns, verdict="flattened")
    return dns

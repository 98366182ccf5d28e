"""One check of one domain, from DNS to HTTPS. What follows from it is decided elsewhere.

Whether browsers refuse plain HTTP for a host: HTTP Strict Transport Security, RFC 6797.

Three ways lead there: the host's own header, a parent's header with ``includeSubDomains``, and
the list that browsers ship. A header counts only over HTTPS with a valid certificate (8.1), the
first one if there are several, and ``max-age=0`` takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from hstspreload import in_hsts_preload

from waypost.domains import dns as caa
from waypost.domains import dns as records
from waypost.domains import dns as resolving
from waypost.domains import probe_token
from waypost.domains.check_results import UNSEEN, Caa, Dns, Findings, Hsts, Probe
from waypost.domains.dns import Resolver
from waypost.domains.hostnames import parents
from waypost.domains.http_probe import Prober, Scheme
from waypost.domains.network import NEVER, Deadline
from waypost.tokens.signer import Keyring

MAX_PARENTS: Final = 3
"""Parents that are asked, nearest first: the outermost, where policies for all below stand."""


def in_force(header: str | None) -> tuple[bool, bool]:
    """Whether a header puts HSTS in force, and whether for subdomains too."""
    directives = dict(_directives(header or ""))
    age = directives.get("max-age", "")
    if not age.isascii() or not age.isdigit() or not age.strip("0"):  # of any length
        return False, False
    return True, "includesubdomains" in directives


def _directives(header: str) -> Iterable[tuple[str, str]]:
    for part in header.split(";"):
        name, _, value = part.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def judge(host: str, own: str | None, header_of: Callable[[str], str | None]) -> Hsts:
    """What makes browsers refuse plain HTTP for a host, the first that is found.

    ``own`` is the host's header; ``header_of`` asks a parent for its own over HTTPS.
    """
    if in_force(own)[0]:
        return Hsts("own", host)
    if in_hsts_preload(host):
        return Hsts("preload", host)
    for parent in list(parents(host))[-MAX_PARENTS:]:
        _, for_subdomains = in_force(header_of(parent))
        if for_subdomains:
            return Hsts("parent", parent)
    return Hsts()


DNS_SECONDS: Final = 20.0
"""From its beginning on, a check asks DNS for so long; how many questions there are is up to who
owns the names. A sound domain takes one second, and one this slow reaches no recipient either.
"""


class Keys(Protocol):
    def current(self) -> Keyring:
        """The keys of this stack, those that our own answers are signed with."""
        ...

    def reloaded(self) -> Keyring | None:
        """The same, read anew where a signature was unknown; None where nothing is new."""
        ...


@dataclass(frozen=True, slots=True)
class Checker:
    """Looks at domains with a resolver and a prober; holds no state between checks."""

    resolver: Resolver
    prober: Prober
    keys: Keys

    def check(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline = NEVER
    ) -> Findings:
        """Everything there is to see of a host until then. ``targets`` are our names.

        HSTS and CAA are asked only where they matter: while HTTPS does not work.
        """
        look = self._look(deadline)
        return look.findings(host, look.dns(host, proof, targets))

    def dns(
        self, host: str, proof: str, targets: Collection[str], deadline: Deadline = NEVER
    ) -> Dns:
        """Only where the host leads."""
        return self._look(deadline).dns(host, proof, targets)

    def _look(self, deadline: Deadline) -> _Look:
        resolver = self.resolver.within(min(DNS_SECONDS, deadline.left()))
        return _Look(resolver, self.prober.asking(resolver, deadline), self.keys, deadline)


class _NotAskedError(Exception):
    """There was no time to ask a parent for its header."""


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one host, with a resolver and a prober whose time is running."""

    resolver: Resolver
    prober: Prober
    keys: Keys
    deadline: Deadline

    def dns(self, host: str, proof: str, targets: Collection[str]) -> Dns:
        found = records.look_up(self.resolver, host, proof, targets)
        return Dns("unseen") if self._is_late() else found

    def findings(self, host: str, dns: Dns) -> Findings:
        if dns.verdict == "unseen":
            return Findings(dns, UNSEEN, UNSEEN)
        if not dns.right:
            return Findings(dns)
        http, https = self._probe("http", host), self._probe("https", host)
        dns = _seen_through(dns, http)
        if https.green:
            return Findings(dns, http, https)
        permission = self._caa(host) if dns.leads_to_edge else Caa()
        return Findings(dns, http, https, self._hsts(host, https), permission)

    def _is_late(self) -> bool:
        """Whether one more question might not have had its time, and one of those before had not:
        then a missing answer says nothing of the host.
        """
        return self.deadline.left() < resolving.SECONDS

    def _caa(self, host: str) -> Caa:
        found = caa.permission(self.resolver, host)
        return Caa("unseen") if found.allows == "unknown" and self._is_late() else found

    def _probe(self, scheme: Scheme, host: str) -> Probe:
        nonce = probe_token.new_nonce()
        return self.prober.ask(
            scheme, host, probe_token.PATH + nonce, lambda body: self._is_ours(nonce, body)
        )

    def _is_ours(self, nonce: str, body: bytes) -> bool:
        """A key that had to sign at once may be known to whoever answered, and not yet here."""
        if probe_token.is_answer(self.keys.current(), nonce, body):
            return True
        renewed = self.keys.reloaded()
        return renewed is not None and probe_token.is_answer(renewed, nonce, body)

    def _hsts(self, host: str, https: Probe) -> Hsts:
        try:
            return judge(host, https.hsts, self._header_of)
        except _NotAskedError:
            return Hsts("unseen")

    def _header_of(self, parent: str) -> str | None:
        probe = self.prober.ask("https", parent, "/", lambda _: False)
        if probe == UNSEEN:
            raise _NotAskedError(parent)
        return probe.hsts


def _seen_through(dns: Dns, http: Probe) -> Dns:
    """A proven host whose addresses are not ours today, but where our CDN refuses the name: a
    flattened record, resolved in another place.
    """
    if dns.verdict == "proxied" and http.at_edge and not http.green:
        return replace(dns, verdict="flattened")
    return dns

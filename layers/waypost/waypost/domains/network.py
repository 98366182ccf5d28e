"""Public addresses, TCP connections to them, TLS, and deadlines.

Customers choose the names that a check connects to. Without a guard, a check could be led into the
stack's own network (server-side request forgery, SSRF). So a name is resolved once, each of its
addresses must be public, and the connection goes to one of these addresses. A second resolution
cannot change the target.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final, Self

WEB_PORTS: Final = (80, 443)
_IPV4_CARRYING_NETWORKS: Final = tuple(
    IPv6Network(network)
    for network in (
        "::/96",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/32",
        "2002::/16",
    )
)
"""IPv6 networks whose addresses carry an IPv4 address (RFC 4291, 6052, 8215, 4380, 3056)."""


def connect_tcp(address: str, port: int, seconds: float) -> socket.socket:
    """Connect to a public address (never a name) on port 80 or 443. Raises OSError."""
    if not is_public_address(address) or port not in WEB_PORTS:
        raise OSError(f"address {address} port {port}: not a public web address; not connected")
    return socket.create_connection((address, port), timeout=seconds)


def is_public_address(address: str) -> bool:
    """Return True if an address belongs to the public internet.

    Rejects text that is not an address, and every IPv6 form that carries an IPv4 address (mapped,
    compatible, 6to4, Teredo, NAT64): public names do not need them, and the carried address may be
    private.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if not parsed.is_global or parsed.is_multicast or parsed.is_reserved:
        return False
    if isinstance(parsed, IPv4Address):
        return True
    wrapped = any(parsed in network for network in _IPV4_CARRYING_NETWORKS)
    return not (wrapped or parsed.is_site_local or parsed.scope_id)


def create_browser_tls_context() -> ssl.SSLContext:
    """Create a context for TLS 1.2 or newer with the system's certificate authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 and newer also reject formal faults of certificates, which browsers accept.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time on a monotonic clock, in seconds, at which a check must end."""

    expires_at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def from_now(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """Create a deadline after some seconds."""
        return cls(clock() + seconds, clock)

    def get_remaining_seconds(self) -> float:
        """Return the seconds left, below 0 if the deadline is over."""
        return self.expires_at - self.clock()

    @property
    def is_expired(self) -> bool:
        return self.get_remaining_seconds() <= 0


NO_DEADLINE: Final = Deadline(math.inf)
"""For checks without a caller that waits; each request still has its own timeout."""

"""Which addresses may be connected to, the connection, and whom TLS on it trusts.

The names that are checked were chosen by customers, so a checker that connected wherever they
lead would be a way into our own network (server-side request forgery). A name is resolved once;
each of its addresses has to be public; the connection goes to one of those very addresses, so
that a second resolution has nothing to say.

How long a check may take, where somebody waits for it or its run ends: a moment on a monotonic
clock, which is passed down to whatever asks others.
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
    """Whether an address is one of the public internet.

    Refuses what is no address at all, and every IPv6 form that carries an IPv4 address (mapped,
    compatible, 6to4, Teredo, NAT64): no public name needs them, and what they carry may be private.
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
    """TLS 1.2 or newer, certificates verified against the system's authorities."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # From Python 3.13 on, formal faults of certificates count too, which browsers let pass.
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


@dataclass(frozen=True, slots=True)
class Deadline:
    """``until`` and ``clock`` are in seconds."""

    expires_at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def from_now(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Self:
        """So long from now on."""
        return cls(clock() + seconds, clock)

    def get_remaining_seconds(self) -> float:
        """Seconds; below 0 where it is over."""
        return self.expires_at - self.clock()

    @property
    def is_expired(self) -> bool:
        return self.get_remaining_seconds() <= 0


NO_DEADLINE: Final = Deadline(math.inf)
"""Where nobody waits: what is asked keeps limits of its own."""

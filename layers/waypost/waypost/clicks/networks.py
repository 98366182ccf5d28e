"""What is kept of an address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from waypost.models.workspace import IpPolicy

KEPT_V4: Final = 24
KEPT_V6: Final = 48


def kept_address(address: str | None, policy: IpPolicy) -> str | None:
    """The part of an address that the workspace keeps: cut to its network (/24, /48) by default.

    None where nothing is kept, and for what is no address.
    """
    if address is None or policy == "none":
        return None
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # else the whole of the IPv4 address would be cut to nothing
    if policy == "full":
        return str(parsed)
    if isinstance(parsed, IPv6Address) and parsed.sixtofour is not None:
        parsed = parsed.sixtofour  # else the first 48 bits would keep the whole of it
    kept = KEPT_V4 if parsed.version == 4 else KEPT_V6
    return str(ip_network((parsed, kept), strict=False).network_address)

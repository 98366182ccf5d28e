"""Warn about links that will surprise their sender: leftover merge tags, hosts that only the
sender reaches, and contact data in ``_cio_id``.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from waypost.rewrite.compiler import MessageLink
from waypost.urls import get_host

_MERGE_TAG: Final = re.compile(
    r"%%[\w.:\-]{1,60}%%"  # Salesforce Marketing Cloud
    r"|\*(?:\||%7C)[\w.:\-]{1,60}(?:\||%7C)\*"  # Mailchimp
    r"|\[\[[^\[\]]{1,60}\]\]"  # Mailjet
    r"|\$(?:\{|%7B)[^{}]{1,60}(?:\}|%7D)"  # template literals
    r"|(?:<|%3C)(?:%|%25)=.{1,60}?(?:%|%25)(?:>|%3E)"  # ERB, EJS
    r"|%7B%7B.{1,60}?%7D%7D",  # Liquid or Handlebars that an editor encoded
    re.IGNORECASE,
)
_EMAIL_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# A plain number is an ordinary identifier: a phone number has a plus sign, spaces or parentheses.
_PHONE_NUMBER: Final = re.compile(r"(?=(?:\D*\d){7,15}\D*\Z)(?:\+|(?=.*[ ()]))[\d ()./\-]+")


def is_contact(identifier: str) -> bool:
    """Check if an identifier looks like an e-mail address or a phone number."""
    text = identifier.strip()
    return bool(_EMAIL_ADDRESS.fullmatch(text) or _PHONE_NUMBER.fullmatch(text))


def find_url_warnings(links: Iterable[MessageLink]) -> Iterator[str]:
    """Warn about links with merge tags of other systems, and about hosts of the sender's own."""
    tags: list[tuple[int, str]] = []
    hosts: list[tuple[int, str]] = []
    for link in links:
        url = link.decision.destination or link.url
        if match := _MERGE_TAG.search(url):
            tags.append((link.position, match[0]))
        host = get_host(url)
        if host is not None and _is_private(host):
            hosts.append((link.position, host))
    if tags:
        position, tag = tags[0]
        yield (
            f"links with a merge tag of another system, which stays as it is ({len(tags):,}); "
            f"the first is link {position}: {tag!r}"
        )
    if hosts:
        position, host = hosts[0]
        yield (
            f"links to a private host, which recipients cannot reach ({len(hosts):,}); "
            f"the first is link {position}: {host!r}"
        )


def _is_private(host: str) -> bool:
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        if name.startswith("["):
            address: IPv4Address | IPv6Address = IPv6Address(name[1:-1])
            return (getattr(address, "ipv4_mapped", None) or address).is_private
        return IPv4Address(socket.inet_aton(name)).is_private  # reads 0x7f.1 as browsers do
    except (ValueError, OSError):
        return False

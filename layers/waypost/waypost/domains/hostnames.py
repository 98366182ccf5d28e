"""Valid host names: a tracking domain is a public host name below a registered domain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from waypost.errors import InvalidRequest
from waypost.urls import to_ascii_host

MAX_HOST_LENGTH: Final = 253
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NON_PUBLIC_TLDS: Final = ("localhost", "local", "internal", "test", "invalid", "onion", "arpa")


def parse_tracking_host(text: str) -> str:
    """Return the canonical form of a tracking domain: lower case, no dot at the end.

    A tracking domain is a subdomain (``links.acme.com``), because the top of a zone cannot have a
    CNAME. Raises InvalidRequest.
    """
    host = parse_host_name(text)
    if host.count(".") < 2:
        raise InvalidRequest.from_field(
            "host", f"{host} is not a subdomain; use a subdomain such as links.{host}"
        )
    return host


def parse_host_name(text: str) -> str:
    """Return the canonical form of a public host name. Raises InvalidRequest."""
    host = text.strip().lower().removesuffix(".")
    if not host.isascii():
        raise InvalidRequest.from_field("host", "write international names in their xn-- form")
    labels = host.split(".")
    if len(host) > MAX_HOST_LENGTH or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidRequest.from_field("host", "is not a host name such as links.example.com")
    if labels[-1].isdigit() or labels[-1] in _NON_PUBLIC_TLDS:
        raise InvalidRequest.from_field("host", f"{host} is not a public host name")
    return host


def extract_sender_domain(sender: str | None) -> str | None:
    """Return the canonical domain of a From value (``News <news@mail.acme.com>``).

    Returns None if the sender has no domain, as the number that sends an SMS.
    """
    if not sender or "@" not in sender:
        return None
    domain = sender.strip().rstrip(">").rpartition("@")[2].strip().lower()
    try:
        return to_ascii_host(domain).removesuffix(".") or None
    except UnicodeError:  # an invalid host matches no tracking domain
        return domain


def iter_parent_domains(host: str) -> Iterator[str]:
    """Yield the parents of a host, nearest first, down to two labels: mail.acme.com, acme.com."""
    while host.count(".") > 1:
        host = host.partition(".")[2]
        yield host

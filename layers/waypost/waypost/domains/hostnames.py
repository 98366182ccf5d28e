"""Which names can be a tracking domain: a public host name below somebody's registered domain."""

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
    """The canonical form (lower case, no dot at the end) of a name given as a tracking domain.

    A tracking domain is a subdomain (``links.acme.com``): a CNAME cannot stand at the top of a
    zone. Raises InvalidRequest.
    """
    host = parse_host_name(text)
    if host.count(".") < 2:
        raise InvalidRequest.from_field(
            "host", f"{host} is a domain itself; take a subdomain of it, such as links.{host}"
        )
    return host


def parse_host_name(text: str) -> str:
    """The canonical form of a public host name. Raises InvalidRequest."""
    host = text.strip().lower().removesuffix(".")
    if not host.isascii():
        raise InvalidRequest.from_field("host", "write international names in their xn-- form")
    labels = host.split(".")
    if len(host) > MAX_HOST_LENGTH or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidRequest.from_field("host", "is not a host name such as links.example.com")
    if labels[-1].isdigit() or labels[-1] in _NON_PUBLIC_TLDS:
        raise InvalidRequest.from_field("host", f"{host} is not a name of the public internet")
    return host


def extract_sender_domain(sender: str | None) -> str | None:
    """The domain of a From value (``News <news@mail.acme.com>``), in the form of hosts; None where
    it has none, as the number that sends an SMS.
    """
    if not sender or "@" not in sender:
        return None
    domain = sender.strip().rstrip(">").rpartition("@")[2].strip().lower()
    try:
        return to_ascii_host(domain).removesuffix(".") or None
    except UnicodeError:  # no host at all: as it stands, it is no tracking domain's
        return domain


def iter_parent_domains(host: str) -> Iterator[str]:
    """The names above a host, nearest first, down to two labels: mail.acme.com, acme.com."""
    while host.count(".") > 1:
        host = host.partition(".")[2]
        yield host

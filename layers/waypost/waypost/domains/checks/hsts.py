"""Whether browsers refuse plain HTTP for a host: HTTP Strict Transport Security, RFC 6797.

Three ways lead there: the host's own header, a parent's header with ``includeSubDomains``, and
the list that browsers ship. A header counts only over HTTPS with a valid certificate (8.1), the
first one if there are several, and ``max-age=0`` takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from hstspreload import in_hsts_preload

from waypost.domains.check_results import Hsts
from waypost.domains.hostnames import parents

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

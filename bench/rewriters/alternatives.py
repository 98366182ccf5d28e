"""Rewriting with other tools: a library for it, typical scripts, and a regular expression.

All put the same metadata into each link: delivery, person and campaign. pytracking's tokens are
base64 and not signed, its cheapest kind. The scripts sign JSON with HMAC-SHA256, the regular
expression uses itsdangerous. None has a cache: each recipient costs the same.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from itsdangerous import URLSafeSerializer

BASE = "https://e.example.com"
KEY = b"k" * 32
CAMPAIGN = "spring-sale"
_HREF = re.compile(r'href="(https?://[^"]+)"')


class BenchRecipient(NamedTuple):
    """The recipient of a message."""

    delivery: str = "5f0c1a52b7"
    person: str = "p-204113"


class Rewriter(NamedTuple):
    """A way to rewrite an HTML message for one recipient."""

    name: str
    rewrite: Callable[[str, BenchRecipient], str]


def build_metadata(recipient: BenchRecipient) -> dict[str, str]:
    return {"delivery": recipient.delivery, "person": recipient.person, "campaign": CAMPAIGN}


def sign_link(href: str, recipient: BenchRecipient) -> str:
    """Build a link with a signed JSON token."""
    content = json.dumps({**build_metadata(recipient), "url": href}, separators=(",", ":")).encode()
    payload = urlsafe_b64encode(content).rstrip(b"=")
    signature = hmac.new(KEY, payload, hashlib.sha256).hexdigest()
    return f"{BASE}/c/{payload.decode()}/{signature}"


def rewrite_with_regex(html: str, recipient: BenchRecipient) -> str:
    """Rewrite every href in double quotes."""
    serializer = URLSafeSerializer(KEY)

    def tracked(found: re.Match[str]) -> str:
        token = serializer.dumps({**build_metadata(recipient), "url": found[1]})
        return f'href="{BASE}/c/{token}"'

    return _HREF.sub(tracked, html)


def list_rewriters() -> list[Rewriter]:
    """List the rewriters whose libraries are installed."""
    return [*_list_library_rewriters(), Rewriter("regex, itsdangerous", rewrite_with_regex)]


def list_missing_libraries() -> list[str]:
    """List the libraries that are not installed."""
    return [name for name in ("pytracking", "bs4", "lxml") if not _is_installed(name)]


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _list_library_rewriters() -> Iterator[Rewriter]:
    if _is_installed("pytracking") and _is_installed("lxml"):
        yield Rewriter("pytracking adapt_html", _build_pytracking())
    if _is_installed("bs4"):
        yield Rewriter("BeautifulSoup, html.parser", _build_soup("html.parser"))
    if _is_installed("bs4") and _is_installed("lxml"):
        yield Rewriter("BeautifulSoup, lxml", _build_soup("lxml"))
    if _is_installed("lxml"):
        yield Rewriter("lxml", _build_lxml())


def _build_pytracking() -> Callable[[str, BenchRecipient], str]:
    import pytracking
    from pytracking.html import adapt_html

    configuration = pytracking.Configuration(base_click_tracking_url=f"{BASE}/")

    def rewrite(html: str, person: BenchRecipient) -> str:
        adapted: str = adapt_html(
            html,
            extra_metadata=build_metadata(person),
            open_tracking=False,
            configuration=configuration,
        )
        return adapted

    return rewrite


def _build_soup(parser: str) -> Callable[[str, BenchRecipient], str]:
    from bs4 import BeautifulSoup

    def rewrite(html: str, person: BenchRecipient) -> str:
        soup = BeautifulSoup(html, parser)
        for anchor in soup.find_all("a", href=True):
            anchor["href"] = _sign_if_web(str(anchor["href"]), person)
        return str(soup)

    return rewrite


def _build_lxml() -> Callable[[str, BenchRecipient], str]:
    from lxml import html as lxml_html

    def rewrite(html: str, person: BenchRecipient) -> str:
        document: Any = lxml_html.fromstring(html)
        for anchor in document.iter("a"):
            href = anchor.get("href")
            if href:
                anchor.set("href", _sign_if_web(href, person))
        written: str = lxml_html.tostring(document, encoding="unicode")
        return written

    return rewrite


def _sign_if_web(href: str, person: BenchRecipient) -> str:
    return sign_link(href, person) if href.startswith(("http://", "https://")) else href

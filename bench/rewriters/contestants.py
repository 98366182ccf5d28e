"""Rewriting as others do it: a library made for it, scripts as people write them, and a regex.

All put the same metadata into each link: delivery, person, campaign. pytracking's tokens are base64
and not signed, its cheapest kind. The scripts sign JSON with HMAC-SHA256, the regex uses
itsdangerous. None remembers anything of a message: every recipient is a message never seen.
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


class Person(NamedTuple):
    """Whom a message goes to."""

    delivery: str = "5f0c1a52b7"
    person: str = "p-204113"


class Contestant(NamedTuple):
    """``rewrite``: an HTML message and whom it goes to in, the message to send out."""

    name: str
    rewrite: Callable[[str, Person], str]


def metadata(person: Person) -> dict[str, str]:
    return {"delivery": person.delivery, "person": person.person, "campaign": CAMPAIGN}


def signed(href: str, person: Person) -> str:
    """A link whose token is JSON, with its signature."""
    content = json.dumps({**metadata(person), "url": href}, separators=(",", ":")).encode()
    payload = urlsafe_b64encode(content).rstrip(b"=")
    signature = hmac.new(KEY, payload, hashlib.sha256).hexdigest()
    return f"{BASE}/c/{payload.decode()}/{signature}"


def regex(html: str, person: Person) -> str:
    """Every href that stands between double quotes."""
    serializer = URLSafeSerializer(KEY)

    def tracked(found: re.Match[str]) -> str:
        token = serializer.dumps({**metadata(person), "url": found[1]})
        return f'href="{BASE}/c/{token}"'

    return _HREF.sub(tracked, html)


def contestants() -> list[Contestant]:
    """Those whose libraries are here."""
    return [*_libraries(), Contestant("regex, itsdangerous", regex)]


def missing() -> list[str]:
    """Libraries that are not here, and whose contestants are left out."""
    return [name for name in ("pytracking", "bs4", "lxml") if not _here(name)]


def _here(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _libraries() -> Iterator[Contestant]:
    if _here("pytracking") and _here("lxml"):
        yield Contestant("pytracking adapt_html", _pytracking())
    if _here("bs4"):
        yield Contestant("BeautifulSoup, html.parser", _soup("html.parser"))
    if _here("bs4") and _here("lxml"):
        yield Contestant("BeautifulSoup, lxml", _soup("lxml"))
    if _here("lxml"):
        yield Contestant("lxml", _lxml())


def _pytracking() -> Callable[[str, Person], str]:
    import pytracking
    from pytracking.html import adapt_html

    configuration = pytracking.Configuration(base_click_tracking_url=f"{BASE}/")

    def rewrite(html: str, person: Person) -> str:
        adapted: str = adapt_html(
            html,
            extra_metadata=metadata(person),
            open_tracking=False,
            configuration=configuration,
        )
        return adapted

    return rewrite


def _soup(parser: str) -> Callable[[str, Person], str]:
    from bs4 import BeautifulSoup

    def rewrite(html: str, person: Person) -> str:
        soup = BeautifulSoup(html, parser)
        for anchor in soup.find_all("a", href=True):
            anchor["href"] = _if_web(str(anchor["href"]), person)
        return str(soup)

    return rewrite


def _lxml() -> Callable[[str, Person], str]:
    from lxml import html as lxml_html

    def rewrite(html: str, person: Person) -> str:
        document: Any = lxml_html.fromstring(html)
        for anchor in document.iter("a"):
            href = anchor.get("href")
            if href:
                anchor.set("href", _if_web(href, person))
        written: str = lxml_html.tostring(document, encoding="unicode")
        return written

    return rewrite


def _if_web(href: str, person: Person) -> str:
    return signed(href, person) if href.startswith(("http://", "https://")) else href

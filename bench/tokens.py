"""Compare tokens: their length, and the time to seal and open them.

    python -m bench.tokens [corpus]

The corpus is a folder of HTML e-mails (`WAYPOST_EMAIL_CORPUS`, or the first argument). Each
distinct http(s) destination in it becomes one link: unchanged, with the usual four utm parameters,
and with `_cio_id`, too. All formats carry the same fields: delivery (a UUID), person, link,
position, time of sending and destination. Times are processor time of calls that take turns, as
medians ± half of the interquartile range.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import statistics
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import itsdangerous
from cryptography.fernet import Fernet

from bench.rewriters.timing import measure_in_turns
from waypost.ids import derive_campaign_id, derive_link_id
from waypost.rewrite.links.extractor import HTML_LINKS, find_links
from waypost.rewrite.url_parameters import add_parameters
from waypost.tokens import ClickToken, Keyring, TokenSealer
from waypost.urls import get_scheme

KEY = b"k" * 32
_Given = TypeVar("_Given")
UTM = [
    ("utm_source", "newsletter"),
    ("utm_medium", "email"),
    ("utm_campaign", "spring-sale"),
    ("utm_content", "footer"),
]


class TokenFormat(NamedTuple):
    """A token format: its name, and its functions to seal and open."""

    name: str
    seal: Callable[[ClickToken], str]
    open: Callable[[str], object]


def build_formats() -> list[TokenFormat]:
    """Build the formats; ratios refer to the first."""
    sealer, serializer, fernet = (
        TokenSealer(Keyring((KEY,))),
        itsdangerous.URLSafeSerializer(KEY),
        Fernet(urlsafe_b64encode(KEY)),
    )
    return [
        TokenFormat("JSON + sha256 hex (the reference)", _seal_reference, _open_reference),
        TokenFormat(
            "itsdangerous URLSafeSerializer",
            lambda t: str(serializer.dumps(_token_fields(t))),
            serializer.loads,
        ),
        TokenFormat(
            "Fernet over JSON", lambda t: fernet.encrypt(_encode_json(t)).decode(), fernet.decrypt
        ),
        TokenFormat("Waypost", sealer.seal, sealer.open),
    ]


def _token_fields(token: ClickToken) -> dict[str, object]:
    return {
        "email_id": token.delivery,
        "href": token.href,
        "internal": token.person,
        "link_id": 59011973,
        "pos": token.position,
        "ts": token.sent,
    }


def _encode_json(token: ClickToken) -> bytes:
    return json.dumps(_token_fields(token), separators=(",", ":")).encode()


def _seal_reference(token: ClickToken) -> str:
    payload = urlsafe_b64encode(_encode_json(token)).rstrip(b"=")
    return f"{payload.decode()}/{hmac.new(KEY, payload, hashlib.sha256).hexdigest()}"


def _open_reference(text: str) -> object:
    payload, signature = text.encode().split(b"/")
    expected = hmac.new(KEY, payload, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(signature, expected):
        raise ValueError(text)
    return payload


def list_destinations(corpus: Path) -> list[str]:
    """List the distinct http(s) destinations of the corpus' e-mails, sorted."""
    found = {
        place.href
        for file in sorted(corpus.rglob("*.html"))
        for place in find_links(HTML_LINKS, file.read_text("utf-8", errors="replace"))
    }
    return sorted(href for href in found if get_scheme(href) in ("http", "https"))


def build_tokens(hrefs: Iterable[str]) -> list[ClickToken]:
    """Build a token for each destination, with one recipient."""
    campaign = derive_campaign_id("acme", "spring-sale")
    return [
        ClickToken(
            link=derive_link_id(campaign, href),
            delivery="7c9e6679-7425-40de-944b-e07fc1f90ae7",
            person="84213",
            position=position,
            sent=1_790_000_000,
            href=href,
        )
        for position, href in enumerate(hrefs, 1)
    ]


def print_table(title: str, links: list[ClickToken]) -> None:
    """Print the lengths, times and median ratio of lengths of one set of links."""
    print(f"\n{title}: {len(links)} links")
    print(f"{'format':<36}{'median':>8}{'ratio':>8}{'max':>7}{'seal µs':>16}{'open µs':>16}")
    forms = build_formats()
    sealed = {form.name: [form.seal(link) for link in links] for form in forms}
    sealing = measure_in_turns({form.name: partial(_call_each, form.seal, links) for form in forms})
    opening = measure_in_turns(
        {form.name: partial(_call_each, form.open, sealed[form.name]) for form in forms}
    )
    first = [len(text) for text in sealed[forms[0].name]]
    for form in forms:
        lengths = [len(text) for text in sealed[form.name]]
        ratio = statistics.median(
            mine / theirs for mine, theirs in zip(lengths, first, strict=True)
        )
        times = "".join(
            f"{sample.median / len(links) * 1e6:>9.1f} ±{sample.spread / len(links) * 1e6:>5.1f}"
            for sample in (sealing[form.name], opening[form.name])
        )
        print(
            f"{form.name:<36}{statistics.median(lengths):>8.0f}{ratio:>8.3f}{max(lengths):>7}{times}"
        )


def _call_each(work: Callable[[_Given], object], values: Sequence[_Given]) -> None:
    for one in values:
        work(one)


def main() -> int:
    """Measure over the corpus; skip without one."""
    corpus = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("WAYPOST_EMAIL_CORPUS")
    hrefs = list_destinations(Path(corpus)) if corpus else []
    if not hrefs:
        print("skipped: no real e-mails; set WAYPOST_EMAIL_CORPUS to a folder of them")
        return 0
    print_table("Destinations unchanged", build_tokens(hrefs))
    print_table("With utm parameters", build_tokens(add_parameters(href, UTM) for href in hrefs))
    identified = [add_parameters(href, [("_cio_id", "84213"), *UTM]) for href in hrefs]
    print_table("With utm parameters and _cio_id", build_tokens(identified))
    return 0


if __name__ == "__main__":
    sys.exit(main())

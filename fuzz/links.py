"""Fuzz targets for the parts of URLs: tokens, shares, destinations, parameters and hosts."""

from __future__ import annotations

import html
import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from fuzz.target import FuzzTarget, decode_text, expect
from tests.redirect_harness import RedirectHarness, make_request
from tests.rewrite_harness import BASE, SHORT, SHORT_LINK, RewriteHarness
from waypost.domains.app_links import can_open
from waypost.domains.hostnames import extract_sender_domain, parse_host_name, parse_tracking_host
from waypost.errors import (
    InvalidRequest,
    ShareAccessDenied,
    TokenError,
    UnsafeDestination,
    WaypostError,
)
from waypost.models.short_link import parse_code
from waypost.models.tracking_domain import AppLinks
from waypost.models.workspace import ShortLinkChannels
from waypost.redirect.service import RedirectService
from waypost.reports.share_links import MAX_SHARE_HOURS, ShareSigner
from waypost.rewrite.url_parameters import add_parameters
from waypost.tokens import Keyring, TokenSealer
from waypost.tokens.codec import decode_click_token
from waypost.tokens.repair import extract_token, iter_repairs
from waypost.urls import MAX_LOCATION_LENGTH, check_destination, to_ascii_url

_MAX_COMPARED_PAIRS: Final = 50_000
_VISIBLE: Final = re.compile("[!-~]+")
_TRACKED: Final = re.compile(re.escape(BASE) + r"/e/c/([\w-]+/[\w-]{22})")
_HOST: Final = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_KEYRING: Final = Keyring((b"of the fuzzer, thirty-two bytes or so",))
_SEALER: Final = TokenSealer(_KEYRING)
_SHARER: Final = ShareSigner(_KEYRING, lambda: datetime(2026, 11, 22, tzinfo=UTC))


def fuzz_tokens(data: bytes) -> None:
    """Reject every unsigned token; decode a payload or reject it."""
    text = decode_text(data)
    for reading in (text, extract_token(text), *iter_repairs(text)):
        with suppress(TokenError):
            _SEALER.open(reading)
            raise AssertionError("an unsigned token was accepted")
    with suppress(TokenError):
        decode_click_token(data)
    code = parse_code(text)
    # Capitals of an old code are read as lower case: phones write them when a code is typed.
    prefixes = (text[:12], text[:19].lower())
    expect(code is None or code in prefixes, "a code is a prefix of the text")


def fuzz_shares(data: bytes) -> None:
    """Reject every unsigned share; of signed JSON, accept only shares of version 1."""
    with suppress(ShareAccessDenied):
        _SHARER.verify_token(decode_text(data))
        raise AssertionError("an unsigned share was accepted")
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(ShareAccessDenied):
        share = _SHARER.verify_token(str(_SHARER._serializer.dumps(payload)))  # noqa: SLF001 - as a later version signs
        expect(payload[0] == 1 and len(payload) == 5, "only version 1 is accepted")
        expect(share.scope.covers(payload[1], payload[2], people=payload[3]), "the scope is signed")
        expect(payload[4] <= MAX_SHARE_HOURS, "a share is not longer than the maximum")


def fuzz_destinations(data: bytes) -> None:
    """Encode each accepted destination as a header value that is accepted again."""
    with suppress(UnsafeDestination):
        href = decode_text(data)
        check_destination(href)
        location = to_ascii_url(href)
        expect(_VISIBLE.fullmatch(location), f"{location!a} is not a valid header value")
        check_destination(location)


def fuzz_url_parameters(data: bytes) -> None:
    """Add parameters once, before the fragment, and change nothing else."""
    href, *texts = decode_text(data).split("\n")
    given = {name: value for name, value in zip(texts[::2], texts[1::2], strict=False) if name}
    url = add_parameters(href, list(given.items()))
    before, mark, fragment = href.partition("#")
    expect(url.startswith(before) and url.endswith(mark + fragment), "the URL is unchanged")
    added = url[len(before) : len(url) - len(mark + fragment)]
    expect("#" not in added, "parameters precede the fragment")
    pairs = parse_qsl(added.removeprefix("?"), keep_blank_values=True, max_num_fields=1_000)
    expect(dict(pairs).items() <= given.items(), "the parameters read back")


def fuzz_delivery(data: bytes) -> None:
    """Redirect every link that rewriting signs to the destination that it reports."""
    href, person, *texts = (decode_text(data) + "\n").split("\n")
    given = dict(zip(texts[::2], texts[1::2], strict=False))
    redirect = RedirectHarness()
    messages = RewriteHarness(redirect.short_links, sealer=redirect.sealer)
    messages.save_settings(url_params=given, shorten=ShortLinkChannels(sms=True))
    recipient = {"delivery": "d1", "data": {"v": person}} | ({"person": person} if person else {})
    for channel, form, text in (
        ("email", "html", f'<a href="{html.escape(href)}">x</a>'),
        ("push", "text", f"{{% cio_link url:'{href}' %}}"),
        ("sms", "text", f"x {href} y"),
    ):
        with suppress(WaypostError):
            answer = messages.rewrite(
                channel=channel, content={form: text}, recipients=[recipient], track_opens=False
            )
            sent = "".join(str(delivery["content"][form]) for delivery in answer["deliveries"])
            reported = [str(link["destination"]) for link in answer["links"] if link["tracked"]]
            if sent and BASE not in text and SHORT not in text:
                _expect_redirects(redirect.redirect_service, sent, reported)


def _expect_redirects(service: RedirectService, sent: str, destinations: list[str]) -> None:
    """Follow all links of a message to these destinations."""
    head = make_request("HEAD")
    results = [service.handle_click(token, head) for token in _TRACKED.findall(sent)]
    results += [service.handle_short_link(code, head) for code in SHORT_LINK.findall(sent)]
    locations = {result.location for result in results}
    expect(locations == set(map(to_ascii_url, destinations)), "destinations are as reported")
    for location in locations:
        expect(_VISIBLE.fullmatch(location), f"{location!a} is not a header value")
        expect(len(location) <= MAX_LOCATION_LENGTH, "a response can carry the destination")


def fuzz_app_link_patterns(data: bytes) -> None:
    """Match a pattern of app links as a text in which each star stands for any characters."""
    destination, *patterns = decode_text(data).split("\n")
    for pattern in patterns:
        opens = can_open(AppLinks(ios=("app",), urls=(pattern,)), destination)
        if len(destination) * len(pattern) <= _MAX_COMPARED_PAIRS:
            expect(opens == _matches(destination, pattern), f"{pattern!a} matches: {opens}")


def _matches(text: str, pattern: str) -> bool:
    """Match character by character, with all positions that the stars before allow."""
    positions = {0}
    for character in pattern:
        if character == "*":
            positions = set(range(min(positions, default=len(text) + 1), len(text) + 1))
        else:
            positions = {at + 1 for at in positions if text[at : at + 1] == character}
    return len(text) in positions


def fuzz_hosts(data: bytes) -> None:
    """Reject a host name, or normalize it to one that does not change when parsed again."""
    text = decode_text(data)
    extract_sender_domain(text)
    for parse in (parse_host_name, parse_tracking_host):
        with suppress(InvalidRequest):
            host = parse(text)
            expect(_HOST.fullmatch(host) and len(host) <= 253, f"{host!a} is not a host name")
            expect(parse(host) == host, f"{host!a} changes when it is parsed again")


TARGETS: Final = {
    "tokens": FuzzTarget(
        fuzz_tokens, (b"/e/c/AQ/AAAAAAAAAAAAAAAAAAAAAA", b"a=\n/b%2F=3D", b"2" * 19)
    ),
    "shares": FuzzTarget(
        fuzz_shares,
        (
            b'[1,"acme",null,false,72]',
            b'[2,"acme","spring",true,1,{}]',
            b"WzEsImFjbWUiLG51bGwsZmFsc2UsNzJd.awKvEA.RM_SvRPq6ySAAti_egNJfsqTZJLFDyE6mUTg9-TnDy0",
        ),
    ),
    "destinations": FuzzTarget(
        fuzz_destinations,
        (
            "https://bücher.example:80/ü?a=b#c".encode(),
            "https://a／b＠c/".encode(),
            b"https://u:p@[::1]:1/\\x",
            b"mailto:a@b.c?subject=x",
        ),
    ),
    "parameters": FuzzTarget(
        fuzz_url_parameters,
        (
            b"https://a.example/?a=1;b#c\nutm_source\nnews letter\na\n2",
            b"https://a.example?\nutm%5Fsource\n\xc3\xa9&=#",
        ),
    ),
    "delivery": FuzzTarget(
        fuzz_delivery,
        (
            b"https://a.example/" + b"x" * 3_000 + b"\n84213\nutm_source\n" + b"y" * 2_000,
            b"https://a.example/?a=1#c\np1\nutm_source\nnews {{ customer.id }}\na\n{{ v }}",
            "https://bücher.example/ü?x=%zz\n\nb\n".encode() + b"c" * 990 + b"\nd\n" + b"e" * 990,
            "HTTP://a.example:80\\b\té\np\u2028\n[x]\n{{ v | times: 3 }}".encode(),
        ),
    ),
    "patterns": FuzzTarget(
        fuzz_app_link_patterns,
        (
            b"https://a.example/shop/x?y\nhttps://a.example/*\nhttps://*/shop/*x*\nhttps://*?",
            b"https://a.example/aaaaaaaaaaaaaaaaaaaaaaab\nhttps://*a*a*a*a*a*a*a*a*a*a*c\n***",
        ),
    ),
    "hosts": FuzzTarget(
        fuzz_hosts, (b"Links.Acme.example.", b"xn--bcher-kva.example.com", b"News <a@b.example>")
    ),
}

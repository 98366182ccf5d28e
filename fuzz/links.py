"""What stands in an address: tokens, shares, destinations, parameters, host names."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from fuzz.target import FuzzTarget, decode_text, expect
from waypost.domains.hostnames import extract_sender_domain, parse_host_name, parse_tracking_host
from waypost.errors import InvalidRequest, ShareAccessDenied, TokenError, UnsafeDestination
from waypost.models.short_link import parse_code
from waypost.reports.share_links import MAX_SHARE_HOURS, ShareSigner
from waypost.rewrite.url_parameters import add_parameters
from waypost.tokens import Keyring, TokenSealer
from waypost.tokens.codec import decode_click_token
from waypost.tokens.repair import extract_token, iter_repairs
from waypost.urls import check_destination, to_ascii_url

_VISIBLE: Final = re.compile("[!-~]+")
_HOST: Final = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_KEYRING: Final = Keyring((b"of the fuzzer, thirty-two bytes or so",))
_SEALER: Final = TokenSealer(_KEYRING)
_SHARER: Final = ShareSigner(_KEYRING, lambda: datetime(2026, 11, 22, tzinfo=UTC))


def fuzz_tokens(data: bytes) -> None:
    """Nothing opens; a payload that were signed is read or refused."""
    text = decode_text(data)
    for reading in (text, extract_token(text), *iter_repairs(text)):
        with suppress(TokenError):
            _SEALER.open(reading)
            raise AssertionError("a token that nobody signed")
    with suppress(TokenError):
        decode_click_token(data)
    code = parse_code(text)
    # Capitals are read as small letters: phones write them where codes are typed by hand.
    expect(code is None or text.lower().startswith(code), "a code is the beginning of the text")


def fuzz_shares(data: bytes) -> None:
    """Nothing opens; whatever JSON were signed is a share of version 1 or refused."""
    with suppress(ShareAccessDenied):
        _SHARER.verify_token(decode_text(data))
        raise AssertionError("a share that nobody signed")
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return
    with suppress(ShareAccessDenied):
        share = _SHARER.verify_token(str(_SHARER._serializer.dumps(said)))  # noqa: SLF001 - as a later version signs
        expect(said[0] == 1 and len(said) == 5, "only version 1 is understood")
        expect(share.scope.covers(said[1], said[2], people=said[3]), "it shows what it says")
        expect(said[4] <= MAX_SHARE_HOURS, "no share lives longer than the longest")


def fuzz_destinations(data: bytes) -> None:
    """What passes the check fits a header, and passes again."""
    with suppress(UnsafeDestination):
        href = decode_text(data)
        check_destination(href)
        location = to_ascii_url(href)
        expect(_VISIBLE.fullmatch(location), f"{location!a} fits no header")
        check_destination(location)


def fuzz_url_parameters(data: bytes) -> None:
    """What is added stands before the fragment, once, and nothing else changes."""
    href, *texts = decode_text(data).split("\n")
    given = {name: value for name, value in zip(texts[::2], texts[1::2], strict=False) if name}
    filled = add_parameters(href, list(given.items()))
    before, mark, fragment = href.partition("#")
    expect(filled.startswith(before) and filled.endswith(mark + fragment), "all of it is there")
    added = filled[len(before) : len(filled) - len(mark + fragment)]
    expect("#" not in added, "parameters stand before the fragment")
    pairs = parse_qsl(added.removeprefix("?"), keep_blank_values=True, max_num_fields=1_000)
    expect(dict(pairs).items() <= given.items(), "they read back as they were given")


def fuzz_hosts(data: bytes) -> None:
    """A name is refused, or is a host name that stays as it is when it is read again."""
    text = decode_text(data)
    extract_sender_domain(text)
    for read in (parse_host_name, parse_tracking_host):
        with suppress(InvalidRequest):
            host = read(text)
            expect(_HOST.fullmatch(host) and len(host) <= 253, f"{host!a} is no host name")
            expect(read(host) == host, f"{host!a} is read otherwise the second time")


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
    "hosts": FuzzTarget(
        fuzz_hosts, (b"Links.Acme.example.", b"xn--bcher-kva.example.com", b"News <a@b.example>")
    ),
}

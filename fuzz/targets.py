"""What is fed with arbitrary bytes, and what must hold whatever they are.

Each target takes bytes and raises where a promise is broken. An error of our own tree is an
answer; anything else is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from tests.unit.sending.conftest import Office
from waypost.errors import TokenError, UnsafeDestination, WaypostError
from waypost.rewriting import request
from waypost.tokens import Keyring, Sealer
from waypost.tokens.mending import mended, rest_of_path
from waypost.tokens.payload import decode
from waypost.urls import ascii_form, check_destination

_VISIBLE: Final = re.compile("[!-~]+")
_SEALER: Final = Sealer(Keyring((b"of the fuzzer, thirty-two bytes or so",)))


def tokens(data: bytes) -> None:
    """Nothing opens; a payload that were signed is read or refused."""
    text = data.decode("utf-8", "replace")
    for reading in (text, rest_of_path(text), *mended(text)):
        with suppress(TokenError):
            _SEALER.open(reading)
            raise AssertionError("a token that nobody signed")
    with suppress(TokenError):
        decode(data)


def destinations(data: bytes) -> None:
    """What passes the check fits a header, and passes again."""
    href = data.decode("utf-8", "replace")
    with suppress(UnsafeDestination):
        check_destination(href)
        location = ascii_form(href)
        if not _VISIBLE.fullmatch(location):
            raise AssertionError(f"{location!a} fits no header")
        check_destination(location)


def html(data: bytes) -> None:
    """A message is rewritten or refused."""
    _rewritten({"html": data.decode("utf-8", "replace")}, liquid=False)


def liquid(data: bytes) -> None:
    """A template is compiled and rendered, or refused."""
    _rewritten({"html": data.decode("utf-8", "replace")}, liquid=True)


def mime(data: bytes) -> None:
    """A MIME message is rewritten or refused."""
    _rewritten({"mime": data.decode("utf-8", "surrogateescape")}, liquid=False)


def body(data: bytes) -> None:
    """A request body is read or refused."""
    with suppress(WaypostError):
        request.from_json(data)


def _rewritten(content: dict[str, Any], *, liquid: bool) -> None:
    with suppress(WaypostError):
        Office().rewrite(kind="newsletter", channel="email", content=content, liquid=liquid)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    target.__name__: target for target in (tokens, destinations, html, liquid, mime, body)
}
SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "tokens": (b"/e/c/AQ/AAAAAAAAAAAAAAAAAAAAAA", b"a=\n/b%2F=3D"),
    "destinations": (
        "https://bücher.example:80/ü?a=b#c".encode(),
        "https://a／b＠c/".encode(),
        b"https://u:p@[::1]:1/\\x",
        b"mailto:a@b.c?subject=x",
    ),
    "html": (
        b'<a href="https://a.example/?a=1&amp;b=2#c" class=untracked>x</a><area href=//x>',
        b'<!--[if mso]><v:roundrect href="https://a.example"><![endif]--></body>',
    ),
    "liquid": (
        b"<a href={{ u | default: 1 }}>{% if a %}{% cio_link url:https://a.example %}{% endif %}",
        b"{% for x in y %}<a href=https://a.example/{{x}}>{% endfor %}{% raw %}{{{% endraw %}",
    ),
    "mime": (
        (
            b"Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/html\r\n\r\n"
            b"<a href=3D=22https://a.example=22>\r\n--x--\r\n"
        ),
    ),
    "body": (
        (
            b'{"workspace":"a","campaign":"b","kind":"newsletter","channel":"email",'
            b'"content":{"html":"x"},"recipients":[{"delivery":"d","person":"p","data":{}}]}'
        ),
    ),
}
"""What each target begins with, so that the fuzzer need not find out what a link looks like."""

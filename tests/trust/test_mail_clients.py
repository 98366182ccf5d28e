"""Links that mail clients changed on their way: which open, and which do not."""

from __future__ import annotations

from collections.abc import Callable
from quopri import encodestring
from urllib.parse import quote, unquote

import pytest

from tests.redirect_harness import FakeSecrets, RedirectHarness
from waypost.errors import TokenError, UnknownShortLink, UnknownVersion
from waypost.models.short_link import ShortLink, parse_code
from waypost.redirect.service import TokenVerifier
from waypost.tokens import ClickToken
from waypost.tokens.keyring import KeyringSource
from waypost.tokens.repair import extract_token, iter_repairs
from waypost.tokens.signer import CLICK_TOKEN_SALT, TokenSigner

# Each gives what stands after /e/c/ once a mail client had the sealed text.
SURVIVED = {
    "as it is": lambda text: text,
    "slash encoded": lambda text: text.replace("/", "%2F"),
    "slash encoded twice": lambda text: text.replace("/", "%252f"),
    "every character encoded": lambda text: "".join(f"%{ord(c):02X}" for c in text),
    "full stop after it": lambda text: text + ".",
    "parenthesis after it": lambda text: text + ")",
    "bracket and comma after it": lambda text: text + ">,",
    "encoded bracket after it": lambda text: text + "%3E",
    "quotes after it": lambda text: text + "”",
    "emphasis after it": lambda text: text + "_*",
    "slash after it": lambda text: text + "/",
    "slash before it": lambda text: "/" + text,
    "padding after it": lambda text: text + "%3D%3D",
    "leftover of quoted-printable after it": lambda text: text + "=3D",
    "parameters without a question mark": lambda text: text + "&fbclid=IwAR1x2y3z",
    "wrapped": lambda text: text[:30] + "\n" + text[30:],
    "wrapped with CRLF and indented": lambda text: text[:30] + "\r\n    " + text[30:],
    "wrapped, the break encoded": lambda text: text[:30] + "%0D%0A" + text[30:],
    "wrapped, the break a space": lambda text: text[:30] + "%20" + text[30:],
    "wrapped in the signature": lambda text: text[:-4] + "\n" + text[-4:],
    "wrapped every 20 characters": lambda text: "\n".join(
        text[at : at + 20] for at in range(0, len(text), 20)
    ),
    "soft break": lambda text: text[:30] + "=\r\n" + text[30:],
    "soft break at the slash": lambda text: text.replace("/", "/=\n"),
    "soft breaks all along": lambda text: encodestring(text.encode()).decode(),
    "quoted-printable, overdone": lambda text: "".join(f"={ord(c):02X}" for c in text),
    "hyphens as quoted-printable": lambda text: text.replace("-", "=2D").replace("_", "=5F"),
    "zero-width spaces and soft hyphens": lambda text: (
        text[:10] + "\u200b" + text[10:20] + "\u00ad" + text[20:]
    ),
}
LOST = {
    "lower-cased": str.lower,
    "upper-cased": str.upper,
    "cut": lambda text: text[:-1],
    "shortened with an ellipsis": lambda text: text[:20] + "…" + text[-10:],
    "hyphens made long": lambda text: text.replace("-", "–"),
    "a letter after it": lambda text: text + "A",
    "a letter typed wrong": lambda text: text[:8] + ("A" if text[8] != "A" else "B") + text[9:],
}


@pytest.fixture
def tokens() -> TokenVerifier:
    return TokenVerifier(KeyringSource(FakeSecrets(), "keyring"))


@pytest.fixture
def sent(harness: RedirectHarness, token: ClickToken) -> str:
    """A sealed token with a hyphen and an underscore."""
    for position in range(10_000):
        text = harness.sealer.seal(
            ClickToken(token.link, token.delivery, token.person, position, 7, token.href)
        )
        if "-" in text and "_" in text:
            return text
    raise AssertionError("base64 has changed")


@pytest.mark.parametrize("change", SURVIVED)
def test_changed_link_still_opens(
    tokens: TokenVerifier, harness: RedirectHarness, sent: str, change: str
) -> None:
    asked = SURVIVED[change](sent)
    if asked.count("/") == 1:
        assert tokens.verify_click_token(unquote(asked)) == harness.sealer.open(
            sent
        )  # the route takes one decoding
    assert tokens.verify_click_token(asked) == harness.sealer.open(sent)
    assert tokens.verify_click_token(extract_token("/e/c/" + asked)) == harness.sealer.open(sent)
    assert tokens.verify_click_token(
        extract_token(quote(f"/e/c/{asked}", safe=""))
    ) == harness.sealer.open(sent)


@pytest.mark.parametrize("change", LOST)
def test_link_with_lost_characters_does_not_open(
    tokens: TokenVerifier, sent: str, change: str
) -> None:
    changed = LOST[change](sent)
    assert changed != sent
    with pytest.raises(TokenError):
        tokens.verify_click_token(changed)


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/e/c/a/b", "a/b"),
        ("/app/e/c/a/b", "a/b"),
        ("/e%2Fc%2Fa%2Fb", "a/b"),
        ("/e/o/a%252Fb", "a/b"),
        ("/e/c/", ""),
        ("/elsewhere/e/c/a/b", ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_token_is_extracted_from_an_unmatched_path(path: str, rest: str) -> None:
    assert extract_token(path) == rest


def test_number_of_repairs_is_limited(sent: str) -> None:
    for change in SURVIVED.values():
        assert len(list(iter_repairs(change(sent)))) <= 3
    assert list(iter_repairs(sent)) == []
    assert list(iter_repairs(sent + "." * 20_000)) == []


def test_token_of_a_later_version_is_not_repaired(tokens: TokenVerifier) -> None:
    later = TokenSigner(
        KeyringSource(FakeSecrets(), "keyring").get_keyring(), CLICK_TOKEN_SALT
    ).seal(b"\x09later")
    for text in (later, later + ")"):
        with pytest.raises(UnknownVersion):
            tokens.verify_click_token(text)


def test_new_key_opens_a_link_that_needs_repair(harness: RedirectHarness, sent: str) -> None:
    class Rotated(FakeSecrets):
        reads = 0

        def get_secret_value(self, *, SecretId: str) -> dict[str, object]:  # noqa: N803
            self.reads += 1
            old: dict[str, object] = {
                "SecretString": '{"seed": "an older one, thirty-two characters"}'
            }
            return old if self.reads == 1 else super().get_secret_value(SecretId=SecretId)

    tokens = TokenVerifier(KeyringSource(Rotated(), "keyring"))
    assert tokens.verify_click_token(sent + ")") == harness.sealer.open(sent)


CODE = "7BCDFGhjknpr"
OLD_CODE = "25678" + "9" * 14
"""Codes of before December 2026 have 19 characters."""


@pytest.mark.parametrize(
    "tail", ["", ".", ")", ">", ",", "”", "%3E", "\n", " ", "=3d", "&fbclid=1"]
)
def test_short_link_with_trailing_characters_opens(tail: str) -> None:
    assert parse_code("2" * 19 + tail) == "2" * 19
    assert parse_code(CODE + tail) == CODE


@pytest.mark.parametrize(
    "change",
    [
        lambda code: code + "/",
        lambda code: "/" + code,
        lambda code: code + "%20Reply",
        lambda code: code + " Reply",
        lambda code: code[:9] + "\n" + code[9:],
        lambda code: code[:9] + "=\r\n" + code[9:],
        lambda code: code[:9] + "%0D%0A" + code[9:],
        lambda code: code[:9] + "\u200b" + code[9:] + "\u00ad",
        lambda code: "".join(f"%{ord(c):02x}" for c in code),
        lambda code: quote(quote(code + "\n")),
    ],
)
def test_short_link_with_inserted_characters_opens(
    harness: RedirectHarness, token: ClickToken, change: Callable[[str], str]
) -> None:
    for code in (CODE, OLD_CODE):
        link = ShortLink(code, harness.sealer.seal(token), None)
        harness.short_links.add([link])
        assert harness.link_resolver.resolve_short_link(change(code)) == link.token


def test_old_code_in_capitals_opens(harness: RedirectHarness, token: ClickToken) -> None:
    link = ShortLink(OLD_CODE, harness.sealer.seal(token), None)
    harness.short_links.add([link])
    assert harness.link_resolver.resolve_short_link(OLD_CODE.upper()) == link.token


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: c[1:], lambda c: c[:5] + "-" + c[5:]]
)
def test_short_link_with_lost_or_added_characters_does_not_open(
    harness: RedirectHarness, token: ClickToken, change: Callable[[str], str]
) -> None:
    for code in (CODE, OLD_CODE):
        link = ShortLink(code, harness.sealer.seal(token), None)
        harness.short_links.add([link])
        with pytest.raises(UnknownShortLink):
            harness.link_resolver.resolve_short_link(change(code))


@pytest.mark.parametrize("tail", ["2", "x", "0"])
def test_longer_code_is_not_truncated(tail: str) -> None:
    assert parse_code("2" * 19 + tail) is None
    assert parse_code(CODE + tail) is None


def test_link_survives_a_url_wrapper(sent: str) -> None:
    """Link scanners put the URL into a query parameter; base64url needs no encoding there."""
    link = f"https://links.example.com/e/c/{sent}"
    wrapped = f"https://eur01.safelinks.example/?url={quote(link, safe='')}&data=05%7C02&reserved=0"
    assert unquote(wrapped.partition("url=")[2].partition("&")[0]) == link
    assert quote(sent, safe="/") == sent

"""Every version reads open tokens of version 1, and no open token is valid as a click token."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.errors import BadSignature, MalformedToken, TokenError, UnknownVersion
from waypost.ids import derive_campaign_id, derive_link_id, derive_open_id, is_open_id
from waypost.tokens import ClickToken, Keyring, OpenToken, OpenTokenSealer, TokenSealer
from waypost.tokens.codec import pack_recipient
from waypost.tokens.signer import OPEN_TOKEN_SALT, TokenSigner

KEYRING = Keyring((b"a test key of thirty-two bytes !",))
VECTORS = json.loads((Path(__file__).parent / "golden_opens_v1.json").read_text("utf-8"))
CAMPAIGN = derive_campaign_id("acme", "spring-sale")
TOKEN = OpenToken(CAMPAIGN, "d1", "p1", 1_790_000_000)

opens = OpenTokenSealer(KEYRING)
texts = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable())


def sign_payload(payload: bytes) -> str:
    return TokenSigner(KEYRING, OPEN_TOKEN_SALT).seal(payload)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_golden_pixel_of_version_1_opens(vector: dict[str, object]) -> None:
    assert opens.open(str(vector["sealed"])) == OpenToken(**vector["token"])  # type: ignore[arg-type]


@given(delivery=texts, person=texts | st.none(), sent=st.integers(0, 2**32 - 1))
def test_open_token_survives_the_round_trip(delivery: str, person: str | None, sent: int) -> None:
    token = OpenToken(CAMPAIGN, delivery, person, sent)
    assert opens.open(opens.seal(token)) == token


def test_open_and_click_tokens_are_not_interchangeable() -> None:
    click = TokenSealer(KEYRING).seal(
        ClickToken(derive_link_id(CAMPAIGN, "x"), "d1", "p1", 1, 0, "https://example.com/")
    )
    with pytest.raises(BadSignature):
        TokenSealer(KEYRING).open(opens.seal(TOKEN))
    with pytest.raises(BadSignature):
        opens.open(click)


def test_open_token_is_signed_by_the_newest_key_and_verified_by_all() -> None:
    older = opens.seal(TOKEN)
    rotated = OpenTokenSealer(Keyring((*KEYRING.keys, b"another key of thirty-two bytes!")))
    assert rotated.open(older) == TOKEN
    with pytest.raises(BadSignature):
        opens.open(rotated.seal(TOKEN))


@pytest.mark.parametrize("at", range(0, 46, 5))
def test_changed_open_token_is_rejected(at: int) -> None:
    sealed = opens.seal(TOKEN)
    changed = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
    with pytest.raises(TokenError):
        opens.open(changed)


@pytest.mark.parametrize("text", ["", "/", "abc", "a/b/c", "é/é"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(TokenError):
        opens.open(text)


def test_signed_payload_with_inconsistent_fields_is_malformed() -> None:
    whole = pack_recipient("d1", "p1", 5) + bytes.fromhex(CAMPAIGN)
    assert opens.open(sign_payload(whole)) == replace(TOKEN, sent=5)
    for broken in (b"", whole[:-1], whole + b"\0", b"\x01"):
        with pytest.raises(MalformedToken):
            opens.open(sign_payload(broken))
    with pytest.raises(UnknownVersion):
        opens.open(sign_payload(b"\x02" + whole[1:]))


def test_id_of_opens_is_no_link_id() -> None:
    assert is_open_id(derive_open_id(CAMPAIGN))
    assert not is_open_id(derive_link_id(CAMPAIGN, "https://example.com/"))


def test_link_with_the_id_of_opens_gets_another_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter(["00000000", "00000000", "0badc0de"])
    monkeypatch.setattr("waypost.ids._hash_parts", lambda *_, size: next(drawn))
    assert derive_link_id(CAMPAIGN, "unlucky") == CAMPAIGN + "0badc0de"

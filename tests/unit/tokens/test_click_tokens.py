from dataclasses import replace

import pytest

from waypost.errors import BadSignature, MalformedToken, TokenError, UnknownVersion
from waypost.tokens import ClickToken, Keyring, TokenSealer, prepare_link
from waypost.tokens.codec import PERSON_PLACEHOLDER, pack_recipient
from waypost.tokens.signer import TokenSigner

from .conftest import KEY

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_sealed_token_opens(sealer: TokenSealer, token: ClickToken) -> None:
    assert sealer.open(sealer.seal(token)) == token


def test_token_has_two_path_segments(sealer: TokenSealer, token: ClickToken) -> None:
    payload, signature = sealer.seal(token).split("/")
    assert set(payload + signature) <= set(BASE64URL)
    assert len(signature) == 22  # 128 bits


def test_person_parameter_is_not_stored_twice(sealer: TokenSealer, token: ClickToken) -> None:
    plain = replace(token, href=token.href.replace("_cio_id=84213&", ""))
    assert len(sealer.seal(token)) <= len(sealer.seal(plain)) + 4


def test_prepared_link_is_sealed_to_the_same_token(sealer: TokenSealer, token: ClickToken) -> None:
    href = token.href.replace("_cio_id=84213", PERSON_PLACEHOLDER)
    prepared = prepare_link(token.link, token.position, href)
    stamped = sealer.create_recipient_sealer(token.delivery, token.person, token.sent).seal(
        prepared
    )
    assert stamped == sealer.seal(token)


def test_person_placeholder_is_filled_query_encoded(sealer: TokenSealer, token: ClickToken) -> None:
    prepared = prepare_link(token.link, 1, "https://example.com/?" + PERSON_PLACEHOLDER)
    text = sealer.create_recipient_sealer("d1", "jo+e@example.com/ü", 0).seal(prepared)
    assert sealer.open(text).href == "https://example.com/?_cio_id=jo%2Be%40example.com%2F%C3%BC"


def test_token_refers_to_a_stored_destination(sealer: TokenSealer, token: ClickToken) -> None:
    stored = replace(token, href="", stored_digest="00112233445566778899aabbccddeeff")
    assert sealer.open(sealer.seal(stored)) == stored


@pytest.mark.parametrize("person", [None, "", "p1", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_person_and_no_person_survive_the_round_trip(
    sealer: TokenSealer, token: ClickToken, person: str | None
) -> None:
    changed = replace(token, person=person)
    assert sealer.open(sealer.seal(changed)) == changed


def test_token_with_one_changed_character_is_rejected(
    sealer: TokenSealer, token: ClickToken
) -> None:
    text = sealer.seal(token)
    for at, was in enumerate(text):
        for new in ("A", "B", "-", "/", "=", "%", "é"):
            if new == was:
                continue
            with pytest.raises(TokenError):
                sealer.open(text[:at] + new + text[at + 1 :])


def test_noncanonical_base64_of_the_signature_is_rejected(
    sealer: TokenSealer, token: ClickToken
) -> None:
    text = sealer.seal(token)
    last = BASE64URL.index(text[-1])
    for low_bits in range(
        1, 16
    ):  # 22 characters hold 132 bits; the last four are not part of the signature
        with pytest.raises(TokenError):
            sealer.open(text[:-1] + BASE64URL[last ^ low_bits])


@pytest.mark.parametrize("tail", ["=", "==", "\n", " ", "!", "/", ".", "%3D"])
def test_token_with_a_tail_is_rejected(sealer: TokenSealer, token: ClickToken, tail: str) -> None:
    with pytest.raises(TokenError):
        sealer.open(sealer.seal(token) + tail)


def test_cut_token_is_rejected(sealer: TokenSealer, token: ClickToken) -> None:
    text = sealer.seal(token)
    for length in range(len(text)):
        with pytest.raises(TokenError):
            sealer.open(text[:length])


def test_payload_with_the_signature_of_another_token_is_rejected(
    sealer: TokenSealer, token: ClickToken
) -> None:
    one = sealer.seal(token).split("/")
    two = sealer.seal(replace(token, position=4)).split("/")
    with pytest.raises(BadSignature):
        sealer.open(f"{one[0]}/{two[1]}")


def test_token_of_an_unknown_key_is_rejected(sealer: TokenSealer, token: ClickToken) -> None:
    other = TokenSealer(Keyring((b"another key of thirty-two bytes!",)))
    with pytest.raises(BadSignature):
        sealer.open(other.seal(token))


def test_signature_for_another_purpose_is_rejected(sealer: TokenSealer, token: ClickToken) -> None:
    other = TokenSigner(Keyring((KEY,)), "waypost.share")
    with pytest.raises(BadSignature):
        sealer.open(other.seal(b"\x01payload"))


def test_token_of_an_old_key_opens_after_rotation(token: ClickToken) -> None:
    old, new = b"o" * 32, b"n" * 32
    before = TokenSealer(Keyring((old,))).seal(token)
    rotated = TokenSealer(Keyring((old, new)))
    assert rotated.open(before) == token
    assert TokenSealer(Keyring((new,))).open(rotated.seal(token)) == token


@pytest.mark.parametrize("version", [0, 2, 255])
def test_signed_token_of_an_unknown_version_raises_unknown_version(
    sealer: TokenSealer, version: int
) -> None:
    text = TokenSigner(Keyring((KEY,)), "waypost.click").seal(bytes([version]) + b"rest")
    with pytest.raises(UnknownVersion) as caught:
        sealer.open(text)
    assert caught.value.version == version


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        pack_recipient("d1", "p1", 0),  # link is missing
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x80",  # position is cut
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x01\xff\xff",  # not a deflate stream
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x02short",  # digest is missing
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x02" + b"x" * 17,  # bytes after the digest
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x03https://a.example/",  # unknown encoding
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x00\xff\xfe",  # not UTF-8
        pack_recipient("d1", None, 0) + b"\0" * 13 + b"\x00\x01",  # placeholder without a person
        b"\x01\x00\0\0\0\0" + b"\0" * 13 + b"\x00x",  # delivery is missing
    ],
)
def test_signed_invalid_payload_is_malformed(sealer: TokenSealer, payload: bytes) -> None:
    text = TokenSigner(Keyring((KEY,)), "waypost.click").seal(payload)
    with pytest.raises(MalformedToken):
        sealer.open(text)


def test_inflated_destination_is_bounded(sealer: TokenSealer, token: ClickToken) -> None:
    link = prepare_link(token.link, 1, token.href + "a" * 99)
    part = pack_recipient("d1", "p1", 0)
    with pytest.raises(MalformedToken):  # bytes after the deflate stream
        sealer.open(TokenSigner(Keyring((KEY,)), "waypost.click").seal(part + link + b"x"))
    bomb = replace(token, href="https://example.com/" + "a" * 70_000)
    with pytest.raises(MalformedToken):
        sealer.open(sealer.seal(bomb))


@pytest.mark.parametrize("text", ["", "/", "//", "a", "a/b/c", "é/é", "\x00/\x00", "a" * 10_000])
def test_what_is_no_token_is_refused(sealer: TokenSealer, text: str) -> None:
    with pytest.raises(TokenError):
        sealer.open(text)


def test_keyring_repr_does_not_contain_keys() -> None:
    assert "test key" not in repr(Keyring((KEY,)))


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"")])
def test_keyring_rejects_short_or_missing_keys(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring(keys)

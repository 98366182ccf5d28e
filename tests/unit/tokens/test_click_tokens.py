from dataclasses import replace

import pytest

from waypost.errors import BadSignature, MalformedToken, TokenError, UnknownVersion
from waypost.tokens import ClickToken, Keyring, TokenSealer, prepare_link
from waypost.tokens.codec import PERSON_PLACEHOLDER, pack_recipient
from waypost.tokens.signer import TokenSigner

from .conftest import KEY

BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def test_what_was_sealed_opens(sealer: TokenSealer, token: ClickToken) -> None:
    assert sealer.open(sealer.seal(token)) == token


def test_a_token_has_the_shape_of_two_path_segments(sealer: TokenSealer, token: ClickToken) -> None:
    payload, signature = sealer.seal(token).split("/")
    assert set(payload + signature) <= set(BASE64URL)
    assert len(signature) == 22  # 128 bits


def test_the_persons_own_parameter_costs_nothing_twice(
    sealer: TokenSealer, token: ClickToken
) -> None:
    plain = replace(token, href=token.href.replace("_cio_id=84213&", ""))
    assert len(sealer.seal(token)) <= len(sealer.seal(plain)) + 4


def test_stamping_a_prepared_link_is_sealing_it(sealer: TokenSealer, token: ClickToken) -> None:
    href = token.href.replace("_cio_id=84213", PERSON_PLACEHOLDER)
    prepared = prepare_link(token.link, token.position, href)
    stamped = sealer.create_recipient_sealer(token.delivery, token.person, token.sent).seal(
        prepared
    )
    assert stamped == sealer.seal(token)


def test_a_persons_mark_comes_back_encoded_as_in_a_query(
    sealer: TokenSealer, token: ClickToken
) -> None:
    prepared = prepare_link(token.link, 1, "https://example.com/?" + PERSON_PLACEHOLDER)
    text = sealer.create_recipient_sealer("d1", "jo+e@example.com/ü", 0).seal(prepared)
    assert sealer.open(text).href == "https://example.com/?_cio_id=jo%2Be%40example.com%2F%C3%BC"


def test_a_stored_destination_is_referred_to(sealer: TokenSealer, token: ClickToken) -> None:
    stored = replace(token, href="", stored_digest="00112233445566778899aabbccddeeff")
    assert sealer.open(sealer.seal(stored)) == stored


@pytest.mark.parametrize("person", [None, "", "p1", "01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_any_person_and_none_come_back(
    sealer: TokenSealer, token: ClickToken, person: str | None
) -> None:
    changed = replace(token, person=person)
    assert sealer.open(sealer.seal(changed)) == changed


def test_every_single_changed_character_is_refused(sealer: TokenSealer, token: ClickToken) -> None:
    text = sealer.seal(token)
    for at, was in enumerate(text):
        for new in ("A", "B", "-", "/", "=", "%", "é"):
            if new == was:
                continue
            with pytest.raises(TokenError):
                sealer.open(text[:at] + new + text[at + 1 :])


def test_another_spelling_of_the_same_signature_is_refused(
    sealer: TokenSealer, token: ClickToken
) -> None:
    text = sealer.seal(token)
    last = BASE64URL.index(text[-1])
    for low_bits in range(1, 16):  # 22 characters hold 132 bits; the last four are no signature
        with pytest.raises(TokenError):
            sealer.open(text[:-1] + BASE64URL[last ^ low_bits])


@pytest.mark.parametrize("tail", ["=", "==", "\n", " ", "!", "/", ".", "%3D"])
def test_a_tail_is_refused(sealer: TokenSealer, token: ClickToken, tail: str) -> None:
    with pytest.raises(TokenError):
        sealer.open(sealer.seal(token) + tail)


def test_every_cut_is_refused(sealer: TokenSealer, token: ClickToken) -> None:
    text = sealer.seal(token)
    for length in range(len(text)):
        with pytest.raises(TokenError):
            sealer.open(text[:length])


def test_parts_of_two_tokens_do_not_combine(sealer: TokenSealer, token: ClickToken) -> None:
    one = sealer.seal(token).split("/")
    two = sealer.seal(replace(token, position=4)).split("/")
    with pytest.raises(BadSignature):
        sealer.open(f"{one[0]}/{two[1]}")


def test_a_key_of_another_stack_is_refused(sealer: TokenSealer, token: ClickToken) -> None:
    other = TokenSealer(Keyring((b"another key of thirty-two bytes!",)))
    with pytest.raises(BadSignature):
        sealer.open(other.seal(token))


def test_a_signature_for_another_purpose_is_refused(sealer: TokenSealer, token: ClickToken) -> None:
    other = TokenSigner(Keyring((KEY,)), "waypost.share")
    with pytest.raises(BadSignature):
        sealer.open(other.seal(b"\x01payload"))


def test_links_of_old_keys_open_after_rotation(token: ClickToken) -> None:
    old, new = b"o" * 32, b"n" * 32
    before = TokenSealer(Keyring((old,))).seal(token)
    rotated = TokenSealer(Keyring((old, new)))
    assert rotated.open(before) == token
    assert TokenSealer(Keyring((new,))).open(rotated.seal(token)) == token


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_signed_token_of_an_unknown_version_says_so(sealer: TokenSealer, version: int) -> None:
    text = TokenSigner(Keyring((KEY,)), "waypost.click").seal(bytes([version]) + b"rest")
    with pytest.raises(UnknownVersion) as caught:
        sealer.open(text)
    assert caught.value.version == version


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x01",
        pack_recipient("d1", "p1", 0),  # no link
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x80",  # a position that does not end
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x01\xff\xff",  # no deflate stream
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x02short",  # no digest
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x02" + b"x" * 17,  # a digest with a tail
        pack_recipient("d1", "p1", 0)
        + b"\0" * 13
        + b"\x03https://a.example/",  # held as nobody held
        pack_recipient("d1", "p1", 0) + b"\0" * 13 + b"\x00\xff\xfe",  # no UTF-8
        pack_recipient("d1", None, 0) + b"\0" * 13 + b"\x00\x01",  # a person's mark, no person
        b"\x01\x00\0\0\0\0" + b"\0" * 13 + b"\x00x",  # no delivery
    ],
)
def test_signed_nonsense_is_malformed(sealer: TokenSealer, payload: bytes) -> None:
    text = TokenSigner(Keyring((KEY,)), "waypost.click").seal(payload)
    with pytest.raises(MalformedToken):
        sealer.open(text)


def test_a_destination_cannot_inflate_without_bound(sealer: TokenSealer, token: ClickToken) -> None:
    link = prepare_link(token.link, 1, token.href + "a" * 99)
    part = pack_recipient("d1", "p1", 0)
    with pytest.raises(MalformedToken):  # a tail behind what is deflated
        sealer.open(TokenSigner(Keyring((KEY,)), "waypost.click").seal(part + link + b"x"))
    bomb = replace(token, href="https://example.com/" + "a" * 70_000)
    with pytest.raises(MalformedToken):
        sealer.open(sealer.seal(bomb))


@pytest.mark.parametrize("text", ["", "/", "//", "a", "a/b/c", "é/é", "\x00/\x00", "a" * 10_000])
def test_what_is_no_token_is_refused(sealer: TokenSealer, text: str) -> None:
    with pytest.raises(TokenError):
        sealer.open(text)


def test_a_keyring_does_not_show_its_keys() -> None:
    assert "test key" not in repr(Keyring((KEY,)))


@pytest.mark.parametrize("keys", [(), (b"short",), (KEY, b"")])
def test_a_keyring_needs_keys_that_are_long_enough(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring(keys)

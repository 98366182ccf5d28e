import pytest
from hypothesis import given
from hypothesis import strategies as st

from waypost.errors import TokenError
from waypost.ids import LINK_ID_BYTES, LinkId
from waypost.tokens import ClickToken, Keyring, TokenSealer
from waypost.tokens.codec import decode_varint, encode_varint, pack_identifier, unpack_identifier

SEALER = TokenSealer(Keyring((b"k" * 32,)))

identifiers = st.one_of(
    st.text(),
    st.uuids().map(str),
    st.integers(0, 2**64).map(str),
    st.binary(max_size=40).map(bytes.hex),
    st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26),
).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text))

hrefs = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)

tokens = st.builds(
    ClickToken,
    link=st.binary(min_size=LINK_ID_BYTES, max_size=LINK_ID_BYTES).map(lambda b: LinkId(b.hex())),
    delivery=identifiers,
    person=st.none() | identifiers,
    position=st.integers(0, 2**40),
    sent=st.integers(0, 2**32 - 1),
    href=hrefs,
)


@given(identifiers)
def test_identifier_survives_the_round_trip(identifier: str) -> None:
    packed = pack_identifier(identifier)
    assert unpack_identifier(packed.form, packed.data + b"rest", 0) == (
        identifier,
        len(packed.data),
    )


@given(st.integers(0, 2**63 - 1))
def test_varint_survives_the_round_trip(number: int) -> None:
    assert decode_varint(encode_varint(number), 0) == (number, len(encode_varint(number)))


@given(tokens)
def test_click_token_survives_the_round_trip(token: ClickToken) -> None:
    assert SEALER.open(SEALER.seal(token)) == token


@given(tokens, st.data())
def test_mutated_token_never_opens(token: ClickToken, data: st.DataObject) -> None:
    sealed = SEALER.seal(token)
    at = data.draw(st.integers(0, len(sealed) - 1))
    piece = data.draw(st.text(max_size=3))
    mutated = sealed[:at] + piece + sealed[at + data.draw(st.integers(0, 3)) :]
    if mutated != sealed:
        with pytest.raises(TokenError):
            SEALER.open(mutated)


@given(st.text())
def test_any_text_raises_token_errors_only(text: str) -> None:
    with pytest.raises(TokenError):
        SEALER.open(text)

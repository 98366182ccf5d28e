import pytest

from waypost.tokens.codec import (
    HEX_FORM,
    INTEGER_FORM,
    TEXT_FORM,
    ULID_FORM,
    UUID_FORM,
    pack_identifier,
    unpack_identifier,
)


@pytest.mark.parametrize(
    ("identifier", "form", "size"),
    [
        ("7c9e6679-7425-40de-944b-e07fc1f90ae7", UUID_FORM, 16),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", ULID_FORM, 16),
        ("d41d8cd98f00b204e9800998ecf8427e", HEX_FORM, 17),
        ("0", INTEGER_FORM, 1),
        ("84213", INTEGER_FORM, 3),
        ("d1", TEXT_FORM, 3),
        ("jürgen@example.com", TEXT_FORM, 20),
    ],
)
def test_identifier_is_packed_in_its_smallest_form(identifier: str, form: int, size: int) -> None:
    packed = pack_identifier(identifier)
    assert (packed.form, len(packed.data)) == (form, size)


@pytest.mark.parametrize(
    "identifier",
    [
        "7C9E6679-7425-40DE-944B-E07FC1F90AE7",  # upper case would come back in lower case
        "01arz3ndektsv4rrffq69g5fav",  # lower case would come back in upper case
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",  # more than 128 bits
        "0042",  # an integer would lose its leading zeros
        "999999999999999999999",  # more than 64 bits, and not hex
        "abc",  # hex of odd length
        "",
    ],
)
def test_identifier_without_an_exact_round_trip_stays_text(identifier: str) -> None:
    packed = pack_identifier(identifier)
    assert packed.form == TEXT_FORM
    assert unpack_identifier(packed.form, packed.data, 0) == (identifier, len(packed.data))


def test_absent_identifier_takes_no_bytes() -> None:
    assert unpack_identifier(pack_identifier(None).form, pack_identifier(None).data, 0) == (None, 0)


@pytest.mark.parametrize("form", [6, 7, 31])
def test_unknown_identifier_form_is_rejected(form: int) -> None:
    with pytest.raises(ValueError, match="form"):
        unpack_identifier(form, b"\x00" * 32, 0)


@pytest.mark.parametrize("form", [TEXT_FORM, UUID_FORM, ULID_FORM, HEX_FORM, INTEGER_FORM])
def test_cut_identifier_bytes_are_rejected(form: int) -> None:
    with pytest.raises(ValueError, match="ends early"):
        unpack_identifier(form, b"", 0)

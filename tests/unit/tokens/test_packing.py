import pytest

from waypost.tokens.codec import HEX, INTEGER, TEXT, ULID, UUID_FORM, pack, unpack


@pytest.mark.parametrize(
    ("identifier", "form", "size"),
    [
        ("7c9e6679-7425-40de-944b-e07fc1f90ae7", UUID_FORM, 16),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", ULID, 16),
        ("d41d8cd98f00b204e9800998ecf8427e", HEX, 17),
        ("0", INTEGER, 1),
        ("84213", INTEGER, 3),
        ("d1", TEXT, 3),
        ("jürgen@example.com", TEXT, 20),
    ],
)
def test_an_identifier_takes_its_smallest_form(identifier: str, form: int, size: int) -> None:
    packed = pack(identifier)
    assert (packed.form, len(packed.data)) == (form, size)


@pytest.mark.parametrize(
    "identifier",
    [
        "7C9E6679-7425-40DE-944B-E07FC1F90AE7",  # a UUID in upper case would come back in lower
        "01arz3ndektsv4rrffq69g5fav",  # likewise a ULID in lower case
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",  # more than 128 bits
        "0042",  # an integer would lose its zeros
        "999999999999999999999",  # more than 64 bits, and no hex either
        "abc",  # hex of odd length
        "",
    ],
)
def test_what_would_not_come_back_exactly_stays_text(identifier: str) -> None:
    packed = pack(identifier)
    assert packed.form == TEXT
    assert unpack(packed.form, packed.data, 0) == (identifier, len(packed.data))


def test_no_identifier_takes_no_bytes() -> None:
    assert unpack(pack(None).form, pack(None).data, 0) == (None, 0)


@pytest.mark.parametrize("form", [6, 7, 31])
def test_an_unknown_form_is_refused(form: int) -> None:
    with pytest.raises(ValueError, match="form"):
        unpack(form, b"\x00" * 32, 0)


@pytest.mark.parametrize("form", [TEXT, UUID_FORM, ULID, HEX, INTEGER])
def test_bytes_that_end_early_are_refused(form: int) -> None:
    with pytest.raises(ValueError, match="ends early"):
        unpack(form, b"", 0)

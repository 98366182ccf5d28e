"""Which text the bytes of a part are, and which bytes a value becomes in it."""

from __future__ import annotations

import codecs

_STATEFUL = ("iso-2022", "iso2022", "hz", "utf-7", "utf-16", "utf-32", "utf16", "utf32", "utf7")


def switches(charset: str) -> bool:
    """Whether bytes of the ASCII range are not always ASCII in it."""
    return charset.startswith(_STATEFUL)


def text_of(data: bytes, charset: str) -> tuple[str, str]:
    """The text of bytes, and the codec by which it becomes the same bytes again. Where the declared
    charset cannot, most mail programs take UTF-8, and Latin-1 for what is none.
    """
    for codec in (charset, "utf-8"):
        try:
            text = data.decode(codec)
            if text.encode(codec) == data:
                return text, codec
        except (LookupError, ValueError):  # no charset, not in it, or a name that holds a zero
            continue
    return data.decode("latin-1"), "latin-1"


def bytes_inside(value: str, codec: str) -> bytes:
    """A value as it stands inside of a text: without the mark that a codec begins a text with."""
    return value.encode(codec).removeprefix("".encode(codec))


def ends_of_characters(data: bytes, text: str, codec: str) -> list[int]:
    """For every character of the text of bytes the number of bytes up to its end."""
    if len(text) == len(data):
        return list(range(1, len(data) + 1))
    decoder = codecs.getincrementaldecoder(codec)()
    ends: list[int] = []
    for at in range(len(data)):
        ends += [at + 1] * len(decoder.decode(data[at : at + 1]))
    return ends

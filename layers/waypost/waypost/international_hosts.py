"""Host names of any script, in the form that browsers request.

Imported only for names that are not plain ASCII: the tables of ``idna`` take milliseconds to load.

Source: WHATWG URL, "domain to ASCII", which is UTS 46, nontransitional, without STD3 rules, hyphen
checks and DNS lengths. Two rules are stricter, because no such name is in the DNS: empty labels
inside a name, and labels longer than 63 characters.
"""

from __future__ import annotations

from unicodedata import bidirectional, category, is_normalized

from idna import IDNAError, check_bidi, uts46_remap, valid_contextj

_PREFIX = "xn--"
_SEPARATORS = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
_JOINERS = "\u200c\u200d"
_MAX_LABEL_LENGTH = 63  # RFC 1035, 2.3.4


def to_ascii_name(name: str) -> str:
    """Convert a host name to the form of DNS, in lower case. Raises UnicodeError.

    Browsers take ASCII names as they are, also with an ``xn--`` label that encodes nothing.
    """
    if name.isascii():
        return name.lower()
    mapped = uts46_remap(name, std3_rules=False)
    if mapped.count(".") != name.translate(_SEPARATORS).count("."):
        raise UnicodeError(f"host name: a character contains a dot ({name!r})")
    labels = [_decode_label(label) for label in mapped.split(".")]
    if not all(labels[:-1]):
        raise UnicodeError(f"host name: a label is empty ({name!r})")
    is_bidi = any(bidirectional(character) in ("R", "AL", "AN") for character in "".join(labels))
    for label in filter(None, labels):
        _check_label(label)
        if is_bidi:
            check_bidi(label, check_ltr=True)
    return ".".join(map(_encode_label, labels))


def _decode_label(label: str) -> str:
    """Return the Unicode form of a mapped label. Raises UnicodeError."""
    if not label.startswith(_PREFIX):
        return label
    encoded = label.removeprefix(_PREFIX)
    decoded = encoded.encode("ascii").decode("punycode")
    if decoded.isascii() or _encode_label(decoded) != label:
        raise UnicodeError(f"host label: not valid Punycode ({label!r})")
    if uts46_remap(decoded, std3_rules=False) != decoded:
        raise UnicodeError(f"host label: encodes characters that hosts map or forbid ({label!r})")
    return decoded


def _check_label(label: str) -> None:
    """Check the validity criteria of UTS 46, 4.1. Raises UnicodeError."""
    if label.startswith(_PREFIX) and not label.isascii():
        raise UnicodeError(f"host label: starts with xn-- and is not ASCII ({label!r})")
    if category(label[0]).startswith("M"):
        raise UnicodeError(f"host label: starts with a combining mark ({label!r})")
    if not is_normalized("NFC", label):
        raise UnicodeError(f"host label: not normalized ({label!r})")
    for position, character in enumerate(label):
        # Newer in idna's tables than in the browsers that recipients have.
        if category(character) == "Cn":
            raise UnicodeError(f"host label: has a character that is not assigned ({label!r})")
        if character in _JOINERS and not _is_joiner_valid(label, position):
            raise UnicodeError(f"host label: has a joiner where no script needs one ({label!r})")


def _is_joiner_valid(label: str, position: int) -> bool:
    try:
        return valid_contextj(label, position)
    except (IDNAError, ValueError):  # a neighbour without a name in this Python's Unicode data
        return False


def _encode_label(label: str) -> str:
    if label.isascii():
        return label
    encoded = _PREFIX + label.encode("punycode").decode("ascii")
    if len(encoded) > _MAX_LABEL_LENGTH:
        raise UnicodeError(f"host label: longer than {_MAX_LABEL_LENGTH} characters ({encoded!r})")
    return encoded

"""What a destination may be, and how a browser reads it.

The standard library's ``urlsplit`` drops characters and lower-cases hosts, so it is not used here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from unicodedata import category, normalize
from urllib.parse import quote

from waypost.errors import UnsafeDestination

WEB_SCHEMES = frozenset({"http", "https"})
DEFAULT_SCHEMES = WEB_SCHEMES | {"mailto", "tel", "sms"}
FORBIDDEN_SCHEMES = frozenset(
    {"javascript", "vbscript", "data", "file", "blob", "about", "filesystem", "view-source", "jar"}
)
"""Schemes that run or read something where they are opened: no workspace can list them."""

_SCHEME_PATTERN = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_AUTHORITY_PATTERN = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
# About most links there is nothing to decide: ASCII, a host of letters, neither user nor port.
_SIMPLE_URL_PATTERN = re.compile(r"([hH][tT]{2}[pP][sS]?)://([a-zA-Z0-9.\-]+)(?:[/?#][!-~]*)?")
_WEB_URL_PATTERN = re.compile(r"[^:]*:(?://([^/?#]*))?", re.DOTALL)
_SURROUNDING_CHARACTERS = "".join(map(chr, range(0x21)))
_DROP_CHARACTERS = str.maketrans("", "", "\t\n\r")
_CONTROL_PATTERN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PORT_PATTERN = re.compile(r":([0-9]*)\Z")
_DOT_PATTERN = re.compile("[.\u3002\uff0e\uff61]")
_NONTRANSITIONAL_PATTERN = re.compile("[\u00df\u03c2]")
_HOST_PATTERN = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]+")
_NON_HEADER_PATTERN = re.compile(r" +|[^\x00-\x7f]+")


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class ParsedHref:
    """An href as every browser reads it (``cleaned``), taken apart once."""

    text: str
    scheme: str | None
    authority: str | None
    is_simple: bool
    """Nothing has to be checked, or written otherwise."""

    def to_destination(self, schemes: Collection[str] = ()) -> str:
        """The URL to sign and to redirect to. Raises as ``ascii_form``, ``check_destination``."""
        if self.is_simple:
            return self.text
        destination = to_ascii_url(self.text)
        check_destination(destination, schemes)
        return destination


def parse_href(href: str) -> ParsedHref:
    """Take an href apart."""
    if found := _SIMPLE_URL_PATTERN.fullmatch(href):
        return ParsedHref(href, found[1].lower(), found[2].lower(), is_simple=True)
    text = clean_href(href)
    return ParsedHref(text, get_scheme(text), get_authority(text), is_simple=False)


def get_scheme(href: str) -> str | None:
    """The scheme in lower case; None for what is relative to some page."""
    match = _SCHEME_PATTERN.match(href)
    return match[1].lower() if match else None


def get_authority(href: str) -> str | None:
    """Host and port of an http(s) URL in lower case, without user; None where there is none."""
    match = _AUTHORITY_PATTERN.match(href)
    return match[1].rpartition("@")[2].lower() or None if match else None


def get_host(href: str) -> str | None:
    """The host of an http(s) URL in lower case, without user and port; None where there is none."""
    return _PORT_PATTERN.sub("", get_authority(href) or "") or None


def clean_href(href: str) -> str:
    """The href as every browser reads it: no surrounding spaces or controls, no tabs and newlines.

    Source: WHATWG URL, basic URL parser, its first three steps.
    """
    if href.isprintable():
        return href.strip(" ")
    return href.strip(_SURROUNDING_CHARACTERS).translate(_DROP_CHARACTERS)


def to_ascii_url(href: str) -> str:
    """The same URL in characters that a Location header can hold: an international host in its
    ``xn--`` form, other non-ASCII text and spaces percent-encoded as UTF-8, the rest untouched.

    :raises UnsafeDestination: when the host cannot be a host name.
    """
    if href.isascii() and " " not in href:
        return href
    match = _WEB_URL_PATTERN.match(href) if get_scheme(href) in WEB_SCHEMES else None
    if match and match[1] is not None:
        start, end = match.span(1)
        return href[:start] + _to_ascii_authority(href, match[1]) + _percent_encode(href[end:])
    return _percent_encode(href)


def _to_ascii_authority(href: str, authority: str) -> str:
    if authority.isascii():
        return authority
    if any(category(character) == "Cf" for character in authority):
        raise UnsafeDestination(href, "has an invisible character in its host")
    port = _PORT_PATTERN.search(authority)
    name = authority[: port.start()] if port else authority
    try:
        ascii_name = to_ascii_host(name)
    except UnicodeError as error:
        raise UnsafeDestination(href, "has a host that cannot be a host name") from error
    if not _HOST_PATTERN.fullmatch(ascii_name):  # a wide slash became a slash, a wide @ a user name
        raise UnsafeDestination(href, "has a host that cannot be a host name")
    return ascii_name + (port[0] if port else "")


def to_ascii_host(name: str) -> str:
    """An international host name as DNS has it. Raises UnicodeError."""
    return ".".join(map(_to_ascii_label, _DOT_PATTERN.split(name)))


def _to_ascii_label(label: str) -> str:
    """One label of a host. Sharp s and final sigma stay themselves, as browsers have it (UTS 46,
    nontransitional): the standard library's IDNA of 2003 would lead to another host.
    """
    if _NONTRANSITIONAL_PATTERN.search(lower := label.lower()):
        name = "xn--" + normalize("NFKC", lower).encode("punycode").decode("ascii")
    else:
        name = label.encode("idna").decode("ascii")
    if "." in name:  # out of a character that holds one, of which browsers make something else
        raise UnicodeError("one label becomes two")
    return name


def _percent_encode(text: str) -> str:
    return _NON_HEADER_PATTERN.sub(lambda found: quote(found[0], safe=""), text)


def check_destination(href: str, schemes: Collection[str] = ()) -> None:
    """Whether an href may be signed, and redirected to.

    :param schemes: app schemes in lower case, besides the five that are always allowed.
    :raises UnsafeDestination: with the reason.
    """
    if _SIMPLE_URL_PATTERN.fullmatch(href):
        return
    if control := _CONTROL_PATTERN.search(href):
        raise UnsafeDestination(href, f"contains the control character U+{ord(control[0]):04X}")
    scheme = get_scheme(href)
    if scheme is None:
        raise UnsafeDestination(href, "has no scheme")
    if scheme in FORBIDDEN_SCHEMES or (scheme not in DEFAULT_SCHEMES and scheme not in schemes):
        raise UnsafeDestination(href, f"has the scheme {scheme}, which is not allowed")
    if scheme in WEB_SCHEMES:
        _check_authority(href)
    elif len(href) == len(scheme) + 1:
        raise UnsafeDestination(href, "has nothing after its scheme")


def _check_authority(href: str) -> None:
    """A browser must find the same host in the URL as we do."""
    match = _WEB_URL_PATTERN.match(href)
    authority = match[1] if match else None
    if not authority:
        raise UnsafeDestination(href, "has no host")
    if "\\" in authority:
        raise UnsafeDestination(href, "has a backslash in its host")
    if "@" in authority:
        raise UnsafeDestination(href, "carries a user name before its host")
    port = _PORT_PATTERN.search(authority)
    if port and not _is_port(port[1]):
        raise UnsafeDestination(href, "has a port that does not exist")
    if not _HOST_PATTERN.fullmatch(_PORT_PATTERN.sub("", authority)):
        raise UnsafeDestination(href, "has a host that cannot be a host name")


def _is_port(digits: str) -> bool:
    """Zeros before it do not count, however many; nothing at all is the scheme's own port."""
    plain = digits.lstrip("0")
    return len(plain) <= 5 and int(plain or "0") <= 65535

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
NEVER_SCHEMES = frozenset(
    {"javascript", "vbscript", "data", "file", "blob", "about", "filesystem", "view-source", "jar"}
)
"""Schemes that run or read something where they are opened: no workspace can list them."""

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
# About most links there is nothing to decide: ASCII, a host of letters, neither user nor port.
_ORDINARY = re.compile(r"([hH][tT]{2}[pP][sS]?)://([a-zA-Z0-9.\-]+)(?:[/?#][!-~]*)?")
_WEB = re.compile(r"[^:]*:(?://([^/?#]*))?", re.DOTALL)
_SURROUNDING = "".join(map(chr, range(0x21)))
_DROPPED = str.maketrans("", "", "\t\n\r")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PORT = re.compile(r":([0-9]*)\Z")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_KEPT_BY_BROWSERS = re.compile("[\u00df\u03c2]")
_HOST = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]+")
_NOT_FOR_A_HEADER = re.compile(r" +|[^\x00-\x7f]+")


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class Href:
    """An href as every browser reads it (``cleaned``), taken apart once."""

    text: str
    scheme: str | None
    authority: str | None
    ordinary: bool
    """Nothing has to be checked, or written otherwise."""

    def destination(self, schemes: Collection[str] = ()) -> str:
        """The URL to sign and to redirect to. Raises as ``ascii_form``, ``check_destination``."""
        if self.ordinary:
            return self.text
        destination = ascii_form(self.text)
        check_destination(destination, schemes)
        return destination


def read(href: str) -> Href:
    """Take an href apart."""
    if found := _ORDINARY.fullmatch(href):
        return Href(href, found[1].lower(), found[2].lower(), ordinary=True)
    text = cleaned(href)
    return Href(text, scheme_of(text), authority_of(text), ordinary=False)


def scheme_of(href: str) -> str | None:
    """The scheme in lower case; None for what is relative to some page."""
    match = _SCHEME.match(href)
    return match[1].lower() if match else None


def authority_of(href: str) -> str | None:
    """Host and port of an http(s) URL in lower case, without user; None where there is none."""
    match = _AUTHORITY.match(href)
    return match[1].rpartition("@")[2].lower() or None if match else None


def host_of(href: str) -> str | None:
    """The host of an http(s) URL in lower case, without user and port; None where there is none."""
    return _PORT.sub("", authority_of(href) or "") or None


def cleaned(href: str) -> str:
    """The href as every browser reads it: no surrounding spaces or controls, no tabs and newlines.

    Source: WHATWG URL, basic URL parser, its first three steps.
    """
    if href.isprintable():
        return href.strip(" ")
    return href.strip(_SURROUNDING).translate(_DROPPED)


def ascii_form(href: str) -> str:
    """The same URL in characters that a Location header can hold: an international host in its
    ``xn--`` form, other non-ASCII text and spaces percent-encoded as UTF-8, the rest untouched.

    :raises UnsafeDestination: when the host cannot be a host name.
    """
    if href.isascii() and " " not in href:
        return href
    match = _WEB.match(href) if scheme_of(href) in WEB_SCHEMES else None
    if match and match[1] is not None:
        start, end = match.span(1)
        return href[:start] + _ascii_authority(href, match[1]) + _percent_encoded(href[end:])
    return _percent_encoded(href)


def _ascii_authority(href: str, authority: str) -> str:
    if authority.isascii():
        return authority
    if any(category(character) == "Cf" for character in authority):
        raise UnsafeDestination(href, "has an invisible character in its host")
    port = _PORT.search(authority)
    name = authority[: port.start()] if port else authority
    try:
        ascii_name = ascii_host(name)
    except UnicodeError as error:
        raise UnsafeDestination(href, "has a host that cannot be a host name") from error
    if not _HOST.fullmatch(ascii_name):  # a wide slash became a slash, a wide @ a user name
        raise UnsafeDestination(href, "has a host that cannot be a host name")
    return ascii_name + (port[0] if port else "")


def ascii_host(name: str) -> str:
    """An international host name as DNS has it. Raises UnicodeError."""
    return ".".join(map(_ascii_label, _DOTS.split(name)))


def _ascii_label(label: str) -> str:
    """One label of a host. Sharp s and final sigma stay themselves, as browsers have it (UTS 46,
    nontransitional): the standard library's IDNA of 2003 would lead to another host.
    """
    if _KEPT_BY_BROWSERS.search(lower := label.lower()):
        name = "xn--" + normalize("NFKC", lower).encode("punycode").decode("ascii")
    else:
        name = label.encode("idna").decode("ascii")
    if "." in name:  # out of a character that holds one, of which browsers make something else
        raise UnicodeError("one label becomes two")
    return name


def _percent_encoded(text: str) -> str:
    return _NOT_FOR_A_HEADER.sub(lambda found: quote(found[0], safe=""), text)


def check_destination(href: str, schemes: Collection[str] = ()) -> None:
    """Whether an href may be signed, and redirected to.

    :param schemes: app schemes in lower case, besides the five that are always allowed.
    :raises UnsafeDestination: with the reason.
    """
    if _ORDINARY.fullmatch(href):
        return
    if control := _CONTROL.search(href):
        raise UnsafeDestination(href, f"contains the control character U+{ord(control[0]):04X}")
    scheme = scheme_of(href)
    if scheme is None:
        raise UnsafeDestination(href, "has no scheme")
    if scheme in NEVER_SCHEMES or (scheme not in DEFAULT_SCHEMES and scheme not in schemes):
        raise UnsafeDestination(href, f"has the scheme {scheme}, which is not allowed")
    if scheme in WEB_SCHEMES:
        _check_authority(href)
    elif len(href) == len(scheme) + 1:
        raise UnsafeDestination(href, "has nothing after its scheme")


def _check_authority(href: str) -> None:
    """A browser must find the same host in the URL as we do."""
    match = _WEB.match(href)
    authority = match[1] if match else None
    if not authority:
        raise UnsafeDestination(href, "has no host")
    if "\\" in authority:
        raise UnsafeDestination(href, "has a backslash in its host")
    if "@" in authority:
        raise UnsafeDestination(href, "carries a user name before its host")
    port = _PORT.search(authority)
    if port and not _is_port(port[1]):
        raise UnsafeDestination(href, "has a port that does not exist")
    if not _HOST.fullmatch(_PORT.sub("", authority)):
        raise UnsafeDestination(href, "has a host that cannot be a host name")


def _is_port(digits: str) -> bool:
    """Zeros before it do not count, however many; nothing at all is the scheme's own port."""
    plain = digits.lstrip("0")
    return len(plain) <= 5 and int(plain or "0") <= 65535

"""Parse hrefs as browsers do, and decide which destinations are safe.

The standard library's ``urlsplit`` is not used: it drops characters and lower-cases hosts.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from unicodedata import category
from urllib.parse import quote

from waypost.errors import UnsafeDestination

WEB_SCHEMES = frozenset({"http", "https"})
DEFAULT_SCHEMES = WEB_SCHEMES | {"mailto", "tel", "sms"}
_FORBIDDEN_SCHEMES = frozenset(
    {
        # run code
        *("javascript", "jscript", "ecmascript", "livescript", "mocha", "vbscript", "applescript"),
        *("data", "feed", "hcp", "jar", "jnlp", "jnlps", "mhtml", "itms-services"),
        # pages and data of the browser and the machine
        *("about", "blob", "brave", "chrome", "devtools", "edge", "extension", "file"),
        *("filesystem", "its", "mk", "opera", "res", "resource", "view-source", "vivaldi"),
        "wyciwyg",
        # start handlers of the operating system, some with arguments from the URL
        *("android-app", "disk", "disks", "help", "intent", "search", "search-ms", "shell"),
        *("rlogin", "telnet", "tn3270", "x-man-page"),
        # send credentials to a server
        *("afp", "cifs", "ldap", "ldaps", "nfs", "smb"),
    }
)
# Handlers of Windows (ms-msdt, ms-word) and Apple, and internal pages of browsers and extensions.
_FORBIDDEN_SCHEME_PATTERN = re.compile(
    r"(?:chrome|edge|microsoft|moz|ms)-.+|x-apple.+|.+-extension"
)

MAX_DESTINATION_LENGTH: Final = 5_000
"""Characters of a destination, with the workspace's parameters and without ``_cio_id``."""
MAX_LOCATION_LENGTH: Final = 8_192
"""Characters of a Location header. ``_cio_id`` makes a destination up to 3,009 longer.

CloudFront accepts responses of 20,480 bytes without their body, and API Gateway has a quota of
10,240 bytes for header values. Many web servers accept requests of 8 KB.
"""

_SCHEME_PATTERN = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_AUTHORITY_PATTERN = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
# Most links match and need no further check: ASCII, a plain host, no user name and no port.
_SIMPLE_URL_PATTERN = re.compile(r"([hH][tT]{2}[pP][sS]?)://([a-zA-Z0-9.\-]+)(?:[/?#][!-~]*)?")
_WEB_URL_PATTERN = re.compile(r"[^:]*:(?://([^/?#]*))?", re.DOTALL)
_SURROUNDING_CHARACTERS = "".join(map(chr, range(0x21)))
_DROP_CHARACTERS = str.maketrans("", "", "\t\n\r")
# Persian and Indic names need joiners between some letters; the host's own check knows where.
_DROP_JOINERS = str.maketrans("", "", "\u200c\u200d")
_CONTROL_PATTERN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PORT_PATTERN = re.compile(r":([0-9]*)\Z")
_HOST_PATTERN = re.compile(r"\[[0-9a-fA-F:.]+\]|[^\x00-\x20\"#%/:<>?@\[\\\]^`{|}\x7f]+")
_BASE_DIGITS = {
    8: frozenset("01234567"),
    10: frozenset("0123456789"),
    16: frozenset("0123456789abcdefABCDEF"),
}
_ESCAPE_PATTERN = re.compile(r"%[0-9a-f]{2}", re.IGNORECASE)
_NON_HEADER_PATTERN = re.compile(r" +|[^\x00-\x7f]+")
_URL_PART_END_PATTERN = re.compile(r"[/?#&]")


@dataclass(slots=True)  # frozen takes three times as long, for about 40 hrefs a message
class ParsedHref:
    """An href as browsers read it (``clean_href``), and its parts."""

    text: str
    scheme: str | None
    authority: str | None
    is_simple: bool
    """True if the href needs neither checks nor conversion."""

    def to_destination(self, schemes: Collection[str] = ()) -> str:
        """Return the URL to sign and to redirect to. Raises UnsafeDestination."""
        if self.is_simple:
            return self.text
        destination = to_ascii_url(self.text)
        check_destination(destination, schemes)
        return destination


def parse_href(href: str) -> ParsedHref:
    """Parse an href."""
    if match := _match_simple_url(href):
        return ParsedHref(href, match[1].lower(), match[2].lower(), is_simple=True)
    text = clean_href(href)
    return ParsedHref(text, get_scheme(text), get_authority(text), is_simple=False)


def normalize_url(href: str) -> str:
    """Return one spelling for all that lead to the same URL: host, default port, path, escapes."""
    parsed = parse_href(href)
    try:
        url = parsed.to_destination()
    except UnsafeDestination:
        return parsed.text
    authority = _AUTHORITY_PATTERN.match(url)
    if not authority:
        return url
    scheme, rest = url.partition(":")[0].lower(), url[authority.end() :]
    host = authority[1].lower().removesuffix(":443" if scheme == "https" else ":80")
    path = rest if rest.startswith("/") else f"/{rest}"
    return f"{scheme}://{host}{_ESCAPE_PATTERN.sub(lambda match: match[0].upper(), path)}"


def _match_simple_url(href: str) -> re.Match[str] | None:
    match = _SIMPLE_URL_PATTERN.fullmatch(href)
    return match if match and not _ends_in_number(match[2]) else None


def get_scheme(href: str) -> str | None:
    """Return the scheme in lower case; None for a relative URL."""
    match = _SCHEME_PATTERN.match(href)
    return match[1].lower() if match else None


def is_forbidden_scheme(scheme: str) -> bool:
    """Check if no workspace can allow a scheme, in lower case: it runs code or starts handlers."""
    return scheme in _FORBIDDEN_SCHEMES or bool(_FORBIDDEN_SCHEME_PATTERN.fullmatch(scheme))


def get_authority(href: str) -> str | None:
    """Return host and port of an http(s) URL in lower case, without the user name.

    An international host is in the form of DNS if it has one.
    """
    match = _AUTHORITY_PATTERN.match(href)
    authority = match[1].rpartition("@")[2].lower() if match else ""
    if not authority.isascii():
        try:
            return _to_ascii_authority(href, authority)
        except UnsafeDestination:
            return authority
    return authority or None


def get_host(href: str) -> str | None:
    """Return the host of an http(s) URL in lower case, without user name and port."""
    return _PORT_PATTERN.sub("", get_authority(href) or "") or None


def clean_href(href: str) -> str:
    """Remove surrounding spaces and controls, and all tabs and newlines, as browsers do.

    Source: WHATWG URL, basic URL parser, its first three steps.
    """
    if href.isprintable():
        return href.strip(" ")
    return href.strip(_SURROUNDING_CHARACTERS).translate(_DROP_CHARACTERS)


def to_ascii_url(href: str) -> str:
    """Convert a URL to the characters that a Location header can hold.

    An international host becomes its ``xn--`` form; spaces and other non-ASCII text are
    percent-encoded as UTF-8; the rest is unchanged.

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
    if any(category(character) == "Cf" for character in authority.translate(_DROP_JOINERS)):
        raise UnsafeDestination(href, "has an invisible character in its host")
    port = _PORT_PATTERN.search(authority)
    host = authority[: port.start()] if port else authority
    try:
        ascii_host = to_ascii_host(host)
    except UnicodeError as e:
        raise UnsafeDestination(href, "has a host that cannot be a host name") from e
    if not _HOST_PATTERN.fullmatch(ascii_host):  # NFKC converts a full-width slash or @ to ASCII
        raise UnsafeDestination(href, "has a host that cannot be a host name")
    return ascii_host + (port[0] if port else "")


def to_ascii_host(name: str) -> str:
    """Convert an international host name to the form of DNS. Raises UnicodeError."""
    if name.isascii():
        return name
    from waypost.international_hosts import to_ascii_name

    return to_ascii_name(name)


def _percent_encode(text: str) -> str:
    return _NON_HEADER_PATTERN.sub(lambda match: quote(match[0], safe=""), text)


def get_common_url(first: str, second: str) -> str:
    """Return the beginning that two URLs have in common, up to the end of a path segment or of a
    query parameter; empty if they do not even share their host.
    """
    pairs = enumerate(zip(first, second, strict=False))
    common = first[: next((n for n, (a, b) in pairs if a != b), min(len(first), len(second)))]
    rests = {url[len(common) : len(common) + 1] for url in (first, second)}
    if rests <= set("/?#&") | {""}:
        return common if _has_whole_host(common + "/") else ""
    ends = [match.end() for match in _URL_PART_END_PATTERN.finditer(common)]
    common = common[: ends[-1]] if ends else ""
    return common.rstrip("?#&") if _has_whole_host(common) else ""


def _has_whole_host(url: str) -> bool:
    match = _AUTHORITY_PATTERN.match(url)
    return bool(match and match[1] and match.end() < len(url))


def check_destination(href: str, schemes: Collection[str] = ()) -> None:
    """Check that an href may be signed and redirected to.

    :param schemes: app schemes in lower case, besides ``DEFAULT_SCHEMES``.
    :raises UnsafeDestination: with the reason.
    """
    if _match_simple_url(href):
        return
    if control := _CONTROL_PATTERN.search(href):
        raise UnsafeDestination(href, f"contains the control character U+{ord(control[0]):04X}")
    scheme = get_scheme(href)
    if scheme is None:
        raise UnsafeDestination(href, "has no scheme")
    is_allowed = scheme in DEFAULT_SCHEMES or (
        scheme in schemes and not is_forbidden_scheme(scheme)
    )
    if not is_allowed:
        raise UnsafeDestination(href, f"has the scheme {scheme}, which is not allowed")
    if scheme in WEB_SCHEMES:
        _check_authority(href)
    elif len(href) == len(scheme) + 1:
        raise UnsafeDestination(href, "has nothing after its scheme")


def _check_authority(href: str) -> None:
    """Check that every browser reads the same host from the URL."""
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
    host = _PORT_PATTERN.sub("", authority)
    if not _HOST_PATTERN.fullmatch(host) or (host[0] == "[" and not _is_ipv6_address(host[1:-1])):
        raise UnsafeDestination(href, "has a host that cannot be a host name")
    if _ends_in_number(host) and not _is_ipv4_address(host):
        raise UnsafeDestination(href, "has a host that ends in a number and is no IPv4 address")


def _is_ipv6_address(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _ends_in_number(host: str) -> bool:
    """Return True if browsers read a host as an IPv4 address or reject it.

    Source: WHATWG URL, "ends in a number checker".
    """
    last = host.removesuffix(".").rpartition(".")[2]
    return last.isdecimal() or (
        last[:2] in ("0x", "0X") and set(last[2:]) <= _BASE_DIGITS[16]  # also "0x" alone
    )


def _is_ipv4_address(host: str) -> bool:
    """Return True for the spellings of an IPv4 address that browsers accept: ``0x7f.1``.

    Source: WHATWG URL, "IPv4 parser".
    """
    *first, last = host.removesuffix(".").split(".")
    if len(first) > 3:
        return False
    numbers = [_parse_ipv4_number(part) for part in first]
    end = _parse_ipv4_number(last)
    return (
        all(number is not None and number <= 255 for number in numbers)
        and end is not None
        and end < 256 ** (4 - len(first))
    )


def _parse_ipv4_number(part: str) -> int | None:
    """Return a part of an IPv4 address, written in base 10, 8 (``017``) or 16 (``0xf``)."""
    base, digits = 10, part
    if part[:2] in ("0x", "0X"):
        base, digits = 16, part[2:]
    elif len(part) > 1 and part[0] == "0":
        base, digits = 8, part[1:]
    if not part or not set(digits) <= _BASE_DIGITS[base]:
        return None
    significant = digits.lstrip("0")
    # Longer than the 11 octal digits of 32 bits; Python refuses to parse thousands of digits.
    return int(significant or "0", base) if len(significant) <= 11 else None


def _is_port(digits: str) -> bool:
    """Return True for a port, with leading zeros, or empty for the scheme's default port."""
    significant = digits.lstrip("0")
    return len(significant) <= 5 and int(significant or "0") <= 65535


def matches_url_pattern(href: str, pattern: str) -> bool:
    """Match a URL against a pattern in which ``*`` stands for any characters.

    The pieces between the stars are searched one after the other, so no pattern is slow.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return href == first
    *middle, last = rest
    if not href.startswith(first) or len(href) < len(first) + len(last):
        return False
    at, end = len(first), len(href) - len(last)
    for piece in middle:
        at = href.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return href.endswith(last)

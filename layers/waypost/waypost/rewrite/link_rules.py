"""Decide for each link: tracked or left as it is, with or without parameters, and the reason.

Links that look secret (a password reset, a token) do not belong in reports. They are recognised by
the words in their URL; the workspace's settings decide whether they are tracked.

URLs with a signed query get no parameters, which would make the signature invalid. Sources: AWS
Signature Version 4 and 2 (query string), CloudFront's signed URLs (canned and custom policy),
Google Cloud Storage's signed URLs V4 and V2, Azure's shared access signatures (SAS).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from urllib.parse import unquote_plus

from waypost.errors import UnsafeDestination
from waypost.models.workspace import SecretLinkPolicy
from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.urls import (
    MAX_DESTINATION_LENGTH,
    WEB_SCHEMES,
    ParsedHref,
    matches_url_pattern,
    parse_href,
)

_PRESIGNED_NAMES = {
    "x-amz-signature": "a pre-signed URL",
    "x-goog-signature": "a pre-signed URL",
    "key-pair-id": "a pre-signed URL",
    "awsaccesskeyid": "a pre-signed URL",
    "sig": "a pre-signed URL",
    "signature": "a pre-signed URL",
}
_CREDENTIAL_NAME = re.compile(
    r"(?:^|[_\-.])(?:token|otp|password|passwd|pwd|secret|jwt|apikey|api[_\-]key|magic|nonce"
    r"|session|sessionid|sid|auth)$|^(?:reset|magic)[_\-]?\w*$",
    re.IGNORECASE,
)
_SECRET_PATH = re.compile(
    r"(?:password|passwd|pwd)[/_\-]?(?:reset|recover|forgot|change|new)"
    r"|(?:reset|recover|forgot)[/_\-]?(?:my[/_\-]?)?(?:password|passwd|pwd)"
    r"|magic[/_\-]?(?:link|login|sign[/_\-]?in)",
    re.IGNORECASE,
)
# A quick first test: every URL that the patterns match has one of these; most URLs have none.
_SECRET_WORDS = (
    *("pass", "pwd", "token", "sig", "key", "otp", "secret", "jwt", "magic", "nonce"),
    *("session", "sid", "auth", "reset", "eyj"),
)
_JWT_START: Final = "eyJ"
"""The beginning of a JSON object in base64."""
_MIN_JWT_PART_LENGTH: Final = 11
_NOT_BASE64URL = re.compile(r"[^\w\-]")


def _detect_secret(href: str) -> str | None:
    """Return the kind of secret that a URL seems to hold, as a noun; None if it has none."""
    lowered = href.lower()
    if not [word for word in _SECRET_WORDS if word in lowered]:
        return None
    before, _, _ = href.partition("#")
    path, _, query = before.partition("?")
    if _SECRET_PATH.search(path):
        return "a password reset or magic link"
    if _JWT_START in href and _has_jwt(href):
        return "a signed web token"
    for pair in query.replace(";", "&").split("&"):
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        if value and name.lower() in _PRESIGNED_NAMES:
            return _PRESIGNED_NAMES[name.lower()]
        if value and _CREDENTIAL_NAME.search(name):
            return f"a credential in {name[:40]!r}"
    return None


def _has_jwt(text: str) -> bool:
    """Return True if a text has the header and the payload of a signed web token."""
    pieces = text.split(".")
    return any(
        payload.startswith(_JWT_START)
        and len(payload) >= _MIN_JWT_PART_LENGTH
        and not _NOT_BASE64URL.search(payload)
        and _ends_with_jwt_header(before)
        for before, payload in pairwise(pieces[:-1])
    )


def _ends_with_jwt_header(text: str) -> bool:
    word = _NOT_BASE64URL.split(text)[-1]
    start = word.find(_JWT_START)
    return 0 <= start <= len(word) - _MIN_JWT_PART_LENGTH


_PROVIDER_PARAMETERS: Final = (
    ("an AWS signature", ("x-amz-signature",)),
    ("an AWS signature", ("awsaccesskeyid", "signature")),
    ("a CloudFront signature", ("key-pair-id", "signature")),
    ("a Google Cloud Storage signature", ("x-goog-signature",)),
    ("a Google Cloud Storage signature", ("googleaccessid", "signature")),
    ("an Azure SAS", ("sv", "sig")),
)
"""Parameters in lower case that all have a value in a provider's signed URLs."""

_SIGNATURE_NAME: Final = re.compile(r".*(?:signature|hmac)|(?:.*[_\-.])?sig|_hash", re.DOTALL)
_SIGNATURE_VALUE: Final = re.compile(r"[a-z0-9+/=_~\-]{16}", re.IGNORECASE)
"""16 characters of hex or base64, also in its forms for URLs (CloudFront uses ``~``)."""
_EXPIRY_NAME: Final = re.compile(
    r".*expir.*|(?:.*[_\-.])?(?:exp|valid[_\-]?(?:until|to)|not[_\-]?after|deadline|ttl)|se",
    re.DOTALL,
)

# A quick first test: a name that the patterns match has one of these; most queries have none.
_SIGNATURE_HINTS: Final = ("sig", "hmac", "_hash", "%")
# A URL that is written unencoded into another's query adds its own question mark.
_SEPARATORS: Final = re.compile("[?&;]")


def find_signature(url: str, other_names: Collection[str] = ()) -> str | None:
    """Find the signature in the query of a URL; return its kind as a noun, or None.

    ``other_names``: lower-case names of further parameters that sign a URL.
    """
    query = url.partition("#")[0].partition("?")[2]
    if not query:
        return None
    lowered = query.lower()
    if not other_names and not [hint for hint in _SIGNATURE_HINTS if hint in lowered]:
        return None
    parameters = list(_iter_parameters(query))
    present = {name for name, _ in parameters}
    for kind, names in _PROVIDER_PARAMETERS:
        if present.issuperset(names):
            return kind
    has_expiry = any(map(_EXPIRY_NAME.fullmatch, present))
    for name, value in parameters:
        is_signature = _SIGNATURE_NAME.fullmatch(name) and (
            has_expiry or _SIGNATURE_VALUE.search(value)
        )
        if is_signature or name in other_names:
            return f"a signature in {name[:40]!r}"
    return None


def _iter_parameters(query: str) -> Iterator[tuple[str, str]]:
    """Iterate over the parameters that have a value: names decoded and in lower case."""
    for pair in _SEPARATORS.split(query):
        name, _, value = pair.partition("=")
        if value:
            yield unquote_plus(name).lower(), unquote_plus(value)


_TOO_LONG: Final = f"is longer than {MAX_DESTINATION_LENGTH:,} characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRules:
    """The settings of a message and its workspace for links."""

    track: bool = True
    """Tracks links and adds parameters to them; has no effect on opens."""
    url_params: bool = True
    own_authorities: frozenset[str] = frozenset()
    """Hosts of the message's tracking links, with ports as in URLs."""
    is_own_link: Callable[[str], bool] = lambda _: False
    """Recognises this stack's tracking links on any host."""
    schemes: frozenset[str] = frozenset()
    secret_links: SecretLinkPolicy = "warn"  # noqa: S105 - a policy, no password
    never_track: tuple[str, ...] = ()
    signed_params: frozenset[str] = frozenset()
    """Names of parameters, in lower case, that sign a URL besides the known ones."""
    track_opens: bool = False
    is_own_pixel: Callable[[str], bool] = lambda _: False
    """Recognises this stack's pixels by the token at the end of their URL."""
    honeypot: bool = False

    def needs_pixel(self, find_existing_pixel: Callable[[], str]) -> bool:
        """Check if a document gets an open pixel; it keeps one that it has already."""
        if not self.track_opens:
            return False
        token = find_existing_pixel()
        return not (token and self.is_own_pixel(token))


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class LinkDecision:
    """The decision about one link.

    ``destination`` is its URL, safe to sign and to write into a header; empty for a link that stays
    as it is. ``reason`` is why a link is not tracked, or a warning about one that is.
    """

    is_tracked: bool
    destination: str = ""
    has_parameters: bool = False
    reason: str | None = None


def decide_link(occurrence: LinkOccurrence, rules: LinkRules) -> LinkDecision:
    """Decide about one link."""
    href = parse_href(occurrence.href)
    if reason := _find_skip_reason(href, occurrence, rules):
        return LinkDecision(is_tracked=False, reason=reason)
    try:
        destination = href.to_destination(rules.schemes)
    except UnsafeDestination as error:
        return LinkDecision(is_tracked=False, reason=error.reason)
    if max(len(destination), len(occurrence.url)) > MAX_DESTINATION_LENGTH:
        return LinkDecision(is_tracked=False, reason=_TOO_LONG)
    secret = _detect_secret(href.text)
    if secret and rules.secret_links == "untrack":  # noqa: S105 - likewise
        return LinkDecision(is_tracked=False, reason=f"looks secret: {secret}")
    parameters = rules.url_params and occurrence.url_params and href.scheme in WEB_SCHEMES
    notes = []
    if not occurrence.track:
        notes.append("its author asked not to track it")
    elif secret:
        notes.append(f"tracked, but it looks secret: {secret}")
    if occurrence.warning:
        notes.append(occurrence.warning)
    if parameters and (signature := find_signature(href.text, rules.signed_params)):
        parameters = False
        notes.append(f"it gets no parameters, because its query has {signature}")
    return LinkDecision(occurrence.track, destination, parameters, "; ".join(notes) or None)


def _find_skip_reason(href: ParsedHref, occurrence: LinkOccurrence, rules: LinkRules) -> str | None:
    """Return why a link must stay as it is, whatever its attributes say; None if it may change."""
    text, scheme = href.text, href.scheme
    if not rules.track:
        return "tracking is off for this message"
    if not text:
        return "is empty"
    if text[0] == "#":
        return "leads to a place in the message itself"
    if "{" in text and ("{{" in text or "{%" in text):
        return "holds Liquid that was not rendered"
    if scheme is None:
        return "has no protocol"
    if href.authority in rules.own_authorities or rules.is_own_link(text):
        return "is a tracking link already"
    if rules.never_track and any(
        matches_url_pattern(text, pattern) for pattern in rules.never_track
    ):
        return "the workspace never tracks it"
    if scheme not in WEB_SCHEMES and scheme not in rules.schemes and not occurrence.requested:
        return f"is a {scheme} link, which only cio_link tracks"
    return None

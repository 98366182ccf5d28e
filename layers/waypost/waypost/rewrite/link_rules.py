"""What becomes of a link: tracked or left as it is, with or without parameters, and why.

Which URLs look as if whoever holds them may do something: they do not belong into reports.

A guess, made on words that such URLs carry; what follows from it is the workspace's choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_plus

from waypost.errors import UnsafeDestination
from waypost.models.workspace import SecretLinkPolicy
from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.urls import WEB_SCHEMES, ParsedHref, parse_href

_SIGNATURE_NAMES = {
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
# Every URL that anything here could match holds one of these; most URLs hold none.
_SECRET_WORDS = (
    *("pass", "pwd", "token", "sig", "key", "otp", "secret", "jwt", "magic", "nonce"),
    *("session", "sid", "auth", "reset", "eyj"),
)
_JWT = re.compile(r"eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.")


def detect_secret(href: str) -> str | None:
    """What looks secret about a URL, as a noun; None when nothing does."""
    lowered = href.lower()
    if not [word for word in _SECRET_WORDS if word in lowered]:
        return None
    before, _, _ = href.partition("#")
    path, _, query = before.partition("?")
    if _SECRET_PATH.search(path):
        return "a password reset or magic link"
    if _JWT.search(href):
        return "a signed web token"
    for pair in re.split("[&;]", query):
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        if value and name.lower() in _SIGNATURE_NAMES:
            return _SIGNATURE_NAMES[name.lower()]
        if value and _CREDENTIAL_NAME.search(name):
            return f"a credential in {name[:40]!r}"
    return None


MAX_DESTINATION_LENGTH: Final = 5_000
"""Characters of a destination whose link stays below CloudFront's limit of 8,192 in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRules:
    """What a message and its workspace decided about links."""

    track: bool = True
    url_params: bool = True
    own_authorities: frozenset[str] = frozenset()
    """Hosts, with ports as in URLs, that tracking links of ours point to."""
    is_own_link: Callable[[str], bool] = lambda _: False
    """Tells a tracking link of ours on whatever host it was made for."""
    schemes: frozenset[str] = frozenset()
    secret_links: SecretLinkPolicy = "warn"  # noqa: S105 - a policy, no password
    never_track: tuple[str, ...] = ()
    track_opens: bool = False
    is_own_pixel: Callable[[str], bool] = lambda _: False
    """Tells a pixel of ours by what its address ends with."""

    honeypot: bool = False

    def needs_pixel(self, find_existing_pixel: Callable[[], str]) -> bool:
        """Whether a document gets a pixel; ``there`` tells one that it may have already."""
        if not (self.track and self.track_opens):
            return False
        carried = find_existing_pixel()
        return not (carried and self.is_own_pixel(carried))


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class LinkDecision:
    """What becomes of one link.

    ``destination`` is where it leads, safe to sign and to put into a header; empty for a link that
    stays as it is. ``reason`` says why a link is not tracked, or what is odd about one that is.
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
    if len(destination) > MAX_DESTINATION_LENGTH:
        return LinkDecision(is_tracked=False, reason="is longer than a tracking link can carry")
    secret = detect_secret(href.text)
    if secret and rules.secret_links == "untrack":  # noqa: S105 - likewise
        return LinkDecision(is_tracked=False, reason=f"looks secret: {secret}")
    parameters = rules.url_params and occurrence.url_params and href.scheme in WEB_SCHEMES
    if not occurrence.track:
        return LinkDecision(False, destination, parameters, "its author asked not to track it")
    warning = f"tracked, but it looks secret: {secret}" if secret else None
    return LinkDecision(True, destination, parameters, warning)


def _find_skip_reason(href: ParsedHref, occurrence: LinkOccurrence, rules: LinkRules) -> str | None:
    """Why a link stays exactly as it is, whatever its author asked for."""
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
    if rules.never_track and any(matches_pattern(text, pattern) for pattern in rules.never_track):
        return "the workspace never tracks it"
    if scheme not in WEB_SCHEMES and scheme not in rules.schemes and not occurrence.requested:
        return f"is a {scheme} link, which only cio_link tracks"
    return None


def matches_pattern(href: str, pattern: str) -> bool:
    """Whether a URL is one of those that a pattern names; ``*`` stands for any characters.

    Looks for the pieces between the stars one after the other, so that no pattern is slow.
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

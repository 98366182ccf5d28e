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
from waypost.rewrite.links.occurrence import Place
from waypost.urls import WEB_SCHEMES, Href, read

_SIGNED = {
    "x-amz-signature": "a pre-signed URL",
    "x-goog-signature": "a pre-signed URL",
    "key-pair-id": "a pre-signed URL",
    "awsaccesskeyid": "a pre-signed URL",
    "sig": "a pre-signed URL",
    "signature": "a pre-signed URL",
}
_CREDENTIAL = re.compile(
    r"(?:^|[_\-.])(?:token|otp|password|passwd|pwd|secret|jwt|apikey|api[_\-]key|magic|nonce"
    r"|session|sessionid|sid|auth)$|^(?:reset|magic)[_\-]?\w*$",
    re.IGNORECASE,
)
_PATH = re.compile(
    r"(?:password|passwd|pwd)[/_\-]?(?:reset|recover|forgot|change|new)"
    r"|(?:reset|recover|forgot)[/_\-]?(?:my[/_\-]?)?(?:password|passwd|pwd)"
    r"|magic[/_\-]?(?:link|login|sign[/_\-]?in)",
    re.IGNORECASE,
)
# Every URL that anything here could match holds one of these; most URLs hold none.
_SUSPECT = (
    *("pass", "pwd", "token", "sig", "key", "otp", "secret", "jwt", "magic", "nonce"),
    *("session", "sid", "auth", "reset", "eyj"),
)
_JWT = re.compile(r"eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.")


def secret_in(href: str) -> str | None:
    """What looks secret about a URL, as a noun; None when nothing does."""
    lowered = href.lower()
    if not [word for word in _SUSPECT if word in lowered]:
        return None
    before, _, _ = href.partition("#")
    path, _, query = before.partition("?")
    if _PATH.search(path):
        return "a password reset or magic link"
    if _JWT.search(href):
        return "a signed web token"
    for pair in re.split("[&;]", query):
        name, _, value = pair.partition("=")
        name = unquote_plus(name)
        if value and name.lower() in _SIGNED:
            return _SIGNED[name.lower()]
        if value and _CREDENTIAL.search(name):
            return f"a credential in {name[:40]!r}"
    return None


LONGEST: Final = 5_000
"""Characters of a destination whose link stays below CloudFront's limit of 8,192 in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
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

    def wants_pixel(self, there: Callable[[], str]) -> bool:
        """Whether a document gets a pixel; ``there`` tells one that it may have already."""
        if not (self.track and self.track_opens):
            return False
        carried = there()
        return not (carried and self.is_own_pixel(carried))


@dataclass(slots=True)  # frozen takes three times as long, forty times a message
class Verdict:
    """What becomes of one link.

    ``destination`` is where it leads, safe to sign and to put into a header; empty for a link that
    stays as it is. ``reason`` says why a link is not tracked, or what is odd about one that is.
    """

    tracked: bool
    destination: str = ""
    parameters: bool = False
    reason: str | None = None


def judge(place: Place, rules: Rules) -> Verdict:
    """Decide about one link."""
    href = read(place.href)
    if reason := _left_alone(href, place, rules):
        return Verdict(tracked=False, reason=reason)
    try:
        destination = href.destination(rules.schemes)
    except UnsafeDestination as error:
        return Verdict(tracked=False, reason=error.reason)
    if len(destination) > LONGEST:
        return Verdict(tracked=False, reason="is longer than a tracking link can carry")
    secret = secret_in(href.text)
    if secret and rules.secret_links == "untrack":  # noqa: S105 - likewise
        return Verdict(tracked=False, reason=f"looks secret: {secret}")
    parameters = rules.url_params and place.url_params and href.scheme in WEB_SCHEMES
    if not place.track:
        return Verdict(False, destination, parameters, "its author asked not to track it")
    warning = f"tracked, but it looks secret: {secret}" if secret else None
    return Verdict(True, destination, parameters, warning)


def _left_alone(href: Href, place: Place, rules: Rules) -> str | None:
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
    if rules.never_track and any(matches(text, pattern) for pattern in rules.never_track):
        return "the workspace never tracks it"
    if scheme not in WEB_SCHEMES and scheme not in rules.schemes and not place.explicit:
        return f"is a {scheme} link, which only cio_link tracks"
    return None


def matches(href: str, pattern: str) -> bool:
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

"""Which URLs look as if whoever holds them may do something: they do not belong into reports.

A guess, made on words that such URLs carry; what follows from it is the workspace's choice.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

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

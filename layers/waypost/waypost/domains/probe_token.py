"""The probe path, and the signed response that only this stack can give.

A parked page answers 200 to any path. So a probe requests a path with a fresh nonce, and the light
is green only if the response is the nonce signed with a key of this stack. The signature has its
own purpose: a response is not valid as a token, nor a token as a response.
"""

from __future__ import annotations

import re
from secrets import token_urlsafe
from typing import Final

from waypost.errors import TokenError
from waypost.responses import Response
from waypost.tokens.signer import Keyring, TokenSigner

PROBE_PATH: Final = "/.well-known/waypost/"
_PURPOSE: Final = "waypost domain probe"
_NONCE_PATTERN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


def create_nonce() -> str:
    """Create a random nonce of 128 bits."""
    return token_urlsafe(16)


def build_probe_response(keyring: Keyring, nonce: str) -> Response:
    """Build the response to ``GET /.well-known/waypost/{nonce}``; 404 for an invalid nonce."""
    if not _NONCE_PATTERN.fullmatch(nonce):
        return _text_response(404, "not found")
    return _text_response(200, TokenSigner(keyring, _PURPOSE).seal(nonce.encode()))


def is_probe_answer(keyring: Keyring, nonce: str, body: bytes) -> bool:
    """Return True if a body is this stack's response to the nonce, by any key of the keyring."""
    try:
        signed = TokenSigner(keyring, _PURPOSE).open(body.decode("ascii", "replace").strip())
    except TokenError:
        return False
    return signed == nonce.encode()


def _text_response(status: int, body: str) -> Response:
    return Response(
        statusCode=status,
        headers={
            "content-type": "text/plain; charset=utf-8",
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        },
        body=body,
    )

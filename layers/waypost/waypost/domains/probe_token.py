"""The path that probes ask, and the signed answer that only this stack gives.

A parked page answers 200 to anything. So a probe asks for a path with a fresh nonce in it, and
the domain is only green where the answer carries the nonce signed by a key of this stack. The
signature has a purpose of its own: an answer is worth nothing as a token, nor the reverse.
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
    """A nonce that was never asked before, 128 bits."""
    return token_urlsafe(16)


def build_probe_response(keyring: Keyring, nonce: str) -> Response:
    """The answer to ``GET /.well-known/waypost/{nonce}``; 404 for what no probe would ask."""
    if not _NONCE_PATTERN.fullmatch(nonce):
        return _text_response(404, "not found")
    return _text_response(200, TokenSigner(keyring, _PURPOSE).seal(nonce.encode()))


def is_probe_answer(keyring: Keyring, nonce: str, body: bytes) -> bool:
    """Whether a body is this stack's answer to this nonce, under any key of the keyring."""
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

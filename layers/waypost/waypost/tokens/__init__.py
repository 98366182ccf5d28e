"""Signed tokens: the data of a tracking link or pixel, packed small and signed.

    https://<host>/e/c/<payload>/<signature>    a click
    https://<host>/e/o/<payload>/<signature>    an open

- ``codec``    the fields of a token as bytes
- ``signer``   signs and verifies tokens under a keyring
- ``keyring``  loads the keyring from its secret
- ``repair``   undoes changes that mail clients make to a link

Links are valid for ever: every version reads tokens of version 1.

``CLICK_PATH``, ``PIXEL_PATH`` and ``APP_PATH`` are the paths of tokens on a tracking host. The
template has the same routes. Add paths, but never change one: links in sent messages use them.
"""

from __future__ import annotations

from typing import Final

from waypost.tokens.codec import ClickToken, PreparedLink, prepare_link, prepare_link_by_digest
from waypost.tokens.signer import Keyring, OpenToken, OpenTokenSealer, RecipientSealer, TokenSealer

__all__ = [
    "ClickToken",
    "Keyring",
    "OpenToken",
    "OpenTokenSealer",
    "PreparedLink",
    "RecipientSealer",
    "TokenSealer",
    "prepare_link",
    "prepare_link_by_digest",
]

CLICK_PATH: Final = "/e/c/"
PIXEL_PATH: Final = "/e/o/"
APP_PATH: Final = "/app"
"""Prefix of ``CLICK_PATH`` for a link that an app may open."""

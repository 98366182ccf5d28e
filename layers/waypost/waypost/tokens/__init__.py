"""What a tracking link carries, packed small and signed.

    https://<host>/e/c/<payload>/<signature>

``packing`` makes identifiers small and ``destination`` destinations, ``payload`` lays the fields
out, ``signing`` signs them with a keyring, and ``sealer`` puts these together; ``opens`` does the
same for pixels (``/e/o/…``). ``paths`` says where on a host they stand.
Links are valid for ever: what version 1 wrote, every later version reads.

Under which paths of a tracking host tokens stand; the template's routes are the same.

Links that were sent have them for ever, so they may be added to, never changed.
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
"""Stands before the path of a link that an app may open."""

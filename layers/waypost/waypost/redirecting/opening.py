"""Opens the tokens of links and pixels, under whichever key signed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from waypost.errors import BadSignature, MalformedToken
from waypost.keys import KeyringSource
from waypost.tokens import ClickToken, OpenToken, Sealer
from waypost.tokens.repair import mended

_Token = TypeVar("_Token", ClickToken, OpenToken)


class Tokens:
    """Opens tokens under the current keyring, and once more under a fresh one where a signature is
    unknown: a key may have been told to sign at once.
    """

    def __init__(self, keys: KeyringSource) -> None:
        self._keys = keys

    def open(self, text: str) -> ClickToken:
        """What a link carries. Raises TokenError, or StoreUnavailable while no key is known."""
        return self._opened(text, lambda sealer: sealer.open)

    def open_pixel(self, text: str) -> OpenToken:
        """What a pixel carries. Raises as ``open`` does."""
        return self._opened(text, lambda sealer: sealer.opens.open)

    def _opened(self, text: str, by: Callable[[Sealer], Callable[[str], _Token]]) -> _Token:
        try:
            return _read(text, by(self._keys.sealer()))
        except BadSignature:
            if self._keys.reloaded() is None:
                raise
            return _read(text, by(self._keys.sealer()))


def _read(text: str, opened: Callable[[str], _Token]) -> _Token:
    """The text as it is, else as it was before a mail client had it."""
    try:
        return opened(text)
    except (BadSignature, MalformedToken) as e:
        refused: BadSignature | MalformedToken = e
    for reading in mended(text):
        try:
            return opened(reading)
        except BadSignature as e:
            refused = e
    raise refused

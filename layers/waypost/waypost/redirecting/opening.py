"""Opens the tokens of links and pixels, under whichever key signed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from waypost.errors import BadSignature, MalformedToken
from waypost.keys import KeyringSource
from waypost.tokens import ClickToken, Keyring, OpenToken, Sealer
from waypost.tokens.mending import mended

_Token = TypeVar("_Token", ClickToken, OpenToken)


class Tokens:
    """Opens tokens under the current keyring, and once more under a fresh one where a signature is
    unknown: a key may have been rotated in a moment ago.
    """

    def __init__(self, keys: KeyringSource) -> None:
        self._keys = keys
        self._keyring: Keyring | None = None
        self._sealer: Sealer | None = None

    def open(self, text: str) -> ClickToken:
        """What a link carries. Raises TokenError, or StoreUnavailable while no key is known."""
        return self._opened(text, lambda keyring: self._under(keyring).open)

    def open_pixel(self, text: str) -> OpenToken:
        """What a pixel carries. Raises as ``open`` does."""
        return self._opened(text, lambda keyring: self._under(keyring).opens.open)

    def _opened(self, text: str, under: Callable[[Keyring], Callable[[str], _Token]]) -> _Token:
        try:
            return _read(text, under(self._keys.current()))
        except BadSignature:
            keyring = self._keys.reloaded()
            if keyring is None:
                raise
            return _read(text, under(keyring))

    def _under(self, keyring: Keyring) -> Sealer:
        if self._sealer is None or keyring is not self._keyring:
            self._keyring, self._sealer = keyring, Sealer(keyring)
        return self._sealer


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

"""Short links, and destinations that are too long for a link.

    pk                        item
    S#{code}                  short link: the signed token of its code; may expire
    D#{workspace}#{digest}    destination that is too long for a link

A code is random, and its case matters. Its alphabet has no vowel, no digit that reads as one, and
no two characters that look alike except a letter in two sizes. No code spells an offensive word
(docs/decisions/2026-12-01-short-codes.md has the arithmetic). Codes of before December 2026 have 19
characters and one case; they stay valid.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Self

from waypost.ids import WorkspaceId
from waypost.models import attributes
from waypost.models.attributes import Item

CODE_ALPHABET: Final = "7BCDFGHJKLMNPQRSTWXZbcdfghjknprstwxz"
CODE_LENGTH: Final = 12
FORBIDDEN_PAIRS: Final = ("7f", "ck", "ds", "kk", "pc", "pm", "tf", "xx")
"""In either case. Each offensive word that the alphabet could spell has one of them."""
DESTINATION_DIGEST_BYTES: Final = 16
_CODE_PATTERN: Final = re.compile(rf"([{CODE_ALPHABET}]{{{CODE_LENGTH}}})(?![0-9a-zA-Z])", re.ASCII)
_OLD_CODE_PATTERN: Final = re.compile(r"([256789cdhjnrtw]{19})(?![0-9a-z])", re.ASCII)
_FORBIDDEN_PAIR_PATTERN: Final = re.compile("|".join(FORBIDDEN_PAIRS), re.IGNORECASE)

ChooseCharacter = Callable[[str], str]
"""Chooses one of a text's characters, with equal probability."""


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A code and its token (``payload/signature``).

    ``expires`` is in seconds since 1970, None for never.
    """

    code: str
    token: str
    expires: int | None

    def is_expired(self, now: float) -> bool:
        """Return whether it has expired. DynamoDB deletes it days later."""
        return self.expires is not None and now >= self.expires

    def to_item(self) -> Item:
        values = {"token": self.token, "expires": self.expires}
        return short_link_key(self.code) | attributes.build_item(values)

    @classmethod
    def from_item(cls, stored: Item) -> Self:
        return cls(
            code=attributes.get_text(stored, "pk").removeprefix("S#"),
            token=attributes.get_text(stored, "token"),
            expires=attributes.get_number(stored, "expires") if "expires" in stored else None,
        )


@dataclass(frozen=True, slots=True)
class LongDestination:
    """A destination stored under its digest, so that storing it twice changes nothing.

    ``href`` may hold ``PERSON_MARK`` (``waypost.tokens``), as destinations in tokens do.
    ``recipient`` is the hash of the only recipient whose message has it, as far as is known
    (``waypost.models.campaign.RecipientMark``); ``expires``, in seconds since 1970, is set if this
    recipient has no person.
    """

    workspace: WorkspaceId
    href: str
    recipient: str | None = None
    expires: int | None = None

    @property
    def digest(self) -> str:
        """Return the hex digest of 16 bytes that a token carries in place of the destination."""
        return destination_digest(self.workspace, self.href)

    def to_item(self) -> Item:
        return destination_key(self.workspace, self.digest) | attributes.build_item(
            {"href": self.href, "recipient": self.recipient, "expires": self.expires}
        )


def generate_code(choose: ChooseCharacter = secrets.choice) -> str:
    """Return a random code that cannot be guessed: all codes are equally probable."""
    while True:
        code = "".join(choose(CODE_ALPHABET) for _ in range(CODE_LENGTH))
        if not _FORBIDDEN_PAIR_PATTERN.search(code):
            return code


def parse_code(text: str) -> str | None:
    """Return the code in a link's path, None if it has none.

    Capitals of an old code are lowered: some phones capitalize typed text. Characters after the
    code that cannot be part of one (``.``, ``)``) came from the sentence around the link.
    """
    match = _CODE_PATTERN.match(text) or _OLD_CODE_PATTERN.match(text.lower())
    return match[1] if match else None


def destination_digest(workspace: WorkspaceId, href: str) -> str:
    """Return the digest under which a workspace's destination is stored."""
    return blake2b(
        href.encode(), key=workspace.encode(), digest_size=DESTINATION_DIGEST_BYTES
    ).hexdigest()


def short_link_key(code: str) -> Item:
    return attributes.build_item({"pk": f"S#{code}"})


def destination_key(workspace: WorkspaceId, digest: str) -> Item:
    return attributes.build_item({"pk": f"D#{workspace}#{digest}"})

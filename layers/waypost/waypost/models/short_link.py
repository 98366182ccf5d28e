"""What does not fit into a link and is stored instead: short links, and very long destinations.

    pk                        what
    S#{code}                  a short link: the signed token that its code stands for; may expire
    D#{workspace}#{digest}    a destination that is too long for a link

A code is random. Its alphabet has no vowel, nothing that is read as one, and nothing that is
easily taken for another of its characters; the letters that are left spell none of the words that
nobody wants in a message (docs/decisions/2026-11-21-short-links.md has the arithmetic).
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

CODE_ALPHABET: Final = "256789cdhjnrtw"
CODE_LENGTH: Final = 19
DESTINATION_DIGEST_BYTES: Final = 16
_CODE_PATTERN: Final = re.compile(rf"([{CODE_ALPHABET}]{{{CODE_LENGTH}}})(?![0-9a-z])", re.ASCII)

ChooseCharacter = Callable[[str], str]
"""Picks one of the characters of a text, each as likely as the other."""


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A code and the token that it stands for (``payload/signature``).

    ``expires`` is in seconds since 1970; None: never.
    """

    code: str
    token: str
    expires: int | None

    def is_expired(self, now: float) -> bool:
        """Whether it leads nowhere any more. DynamoDB deletes it some time later."""
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
    """A destination under the digest of itself, so that storing it twice changes nothing.

    ``href`` may hold ``PERSON_MARK`` (``waypost.tokens``), as destinations in tokens do.
    """

    workspace: WorkspaceId
    href: str

    @property
    def digest(self) -> str:
        """Hex of 16 bytes: what a token carries instead of the destination."""
        return destination_digest(self.workspace, self.href)

    def to_item(self) -> Item:
        return destination_key(self.workspace, self.digest) | attributes.build_item(
            {"href": self.href}
        )


def generate_code(choose: ChooseCharacter = secrets.choice) -> str:
    """A code that nobody can guess."""
    return "".join(choose(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def parse_code(text: str) -> str | None:
    """The code that a link's path holds; None where it cannot be one.

    Capitals are read as small letters, since some phones write what is typed by hand with one;
    what follows the code and can be none of it (``.``, ``)``) came from the sentence it stood in.
    """
    found = _CODE_PATTERN.match(text.lower())
    return found[1] if found else None


def destination_digest(workspace: WorkspaceId, href: str) -> str:
    """The digest under which a workspace's destination is stored."""
    return blake2b(
        href.encode(), key=workspace.encode(), digest_size=DESTINATION_DIGEST_BYTES
    ).hexdigest()


def short_link_key(code: str) -> Item:
    return attributes.build_item({"pk": f"S#{code}"})


def destination_key(workspace: WorkspaceId, digest: str) -> Item:
    return attributes.build_item({"pk": f"D#{workspace}#{digest}"})

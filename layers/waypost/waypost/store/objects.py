"""The interface to objects: files of recipients and messages that are too large for an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """Where an object lies."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def beside(self, suffix: str) -> ObjectUrl:
        """An object next to this one."""
        return ObjectUrl(self.bucket, self.key + suffix)


class ObjectStore(Protocol):
    """Objects by URL. All methods raise StoreUnavailable, and NotFound for what is not there (or
    may not be known to be).
    """

    def version(self, url: ObjectUrl) -> str:
        """What tells this content of an object from any other."""
        ...

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        """The bytes of an object from an offset on. Raises Conflict where it has changed."""
        ...

    def read(self, url: ObjectUrl) -> bytes | None:
        """A small object as a whole; None where there is none."""
        ...

    def write(self, url: ObjectUrl, data: bytes) -> None:
        """Write a small object as a whole."""
        ...

    def delete(self, url: ObjectUrl) -> None:
        """Remove an object, or what was there of it."""
        ...

    def begin(self, url: ObjectUrl) -> str:
        """Begin to write a large object in parts; returns the upload's name."""
        ...

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        """Write a part, counted from 1; all but the last take 5 MiB at least. Returns its tag."""
        ...

    def complete(self, url: ObjectUrl, upload: str, tags: Sequence[str]) -> None:
        """Make an object of the parts."""
        ...

"""The interface to objects: files of recipients and messages that are too large for an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

UploadPart = tuple[int, str]
"""A part that was written: its number and its tag."""


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """Where an object lies."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def with_suffix(self, suffix: str) -> ObjectUrl:
        """An object next to this one."""
        return ObjectUrl(self.bucket, self.key + suffix)


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What an object is now. ``version`` tells its content from any other, ``size`` is in bytes."""

    version: str
    size: int


@dataclass(frozen=True, slots=True)
class ObjectContent:
    """An object that was read as a whole."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """Objects by URL. All methods raise StoreUnavailable, and NotFound for what is not there (or
    may not be known to be).
    """

    def get_state(self, url: ObjectUrl) -> ObjectState:
        """What is there now."""
        ...

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        """The bytes of an object from an offset on; none from its end on. However slowly they are
        taken, no connection waits for that. Raises Conflict where the object has changed.
        """
        ...

    def read(self, url: ObjectUrl) -> ObjectContent | None:
        """A small object as a whole; None where there is none."""
        ...

    def write(self, url: ObjectUrl, data: bytes) -> None:
        """Write a small object as a whole."""
        ...

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        """Write a small object where there is this version of it, or where there is none (None);
        returns the new version. Raises Conflict where somebody else wrote it meanwhile.
        """
        ...

    def delete(self, url: ObjectUrl) -> None:
        """Remove an object, or what was there of it."""
        ...

    def create_upload(self, url: ObjectUrl) -> str:
        """Begin to write a large object in parts; returns the upload's name."""
        ...

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        """Write a part, numbered from 1 to 10,000; all but the last take 5 MiB at least. Returns
        its tag. Raises NotFound where the upload was ended.
        """
        ...

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        """Make an object of parts, whose numbers rise. Raises NotFound where the upload was ended,
        as it is by being completed.
        """
        ...

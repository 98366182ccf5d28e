"""Interface to objects: files of recipients, and of messages too large for a response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MAX_SMALL_OBJECT_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an object that is read as a whole. Checkpoints and reports need 2 MiB at most."""

UploadPart = tuple[int, str]
"""A stored part: its number and its ETag."""


@dataclass(frozen=True, slots=True)
class ObjectUrl:
    """The address of an object."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def with_suffix(self, suffix: str) -> ObjectUrl:
        """Return the address of an object beside this one."""
        return ObjectUrl(self.bucket, self.key + suffix)


@dataclass(frozen=True, slots=True)
class ObjectState:
    """An object's version, which changes with its content, and its size in bytes.

    ``job`` is the mark of the job that uploaded it in parts; empty for any other object.
    """

    version: str
    size: int
    job: str = ""


@dataclass(frozen=True, slots=True)
class ObjectContent:
    """A whole object and its version."""

    data: bytes
    version: str


class ObjectStore(Protocol):
    """Objects by URL. All methods raise StoreUnavailable, and NotFound for an object that does not
    exist or that the caller may not know of.

    Every write has a condition: no method replaces or deletes an object that the caller has not
    read.
    """

    def get_state(self, url: ObjectUrl) -> ObjectState:
        """Return the present version and size."""
        ...

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        """Return the bytes of an object from an offset, none from its end. No connection stays open
        between chunks. Raises WriteConflict if the object has changed.
        """
        ...

    def read(self, url: ObjectUrl) -> ObjectContent | None:
        """Return a small object, None if it does not exist. Raises TooLarge if it is not small."""
        ...

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        """Write a small object over this version, or over none (None). Return the new version.
        Raises WriteConflict if another writer was first.
        """
        ...

    def delete(self, url: ObjectUrl, version: str) -> None:
        """Delete this version of an object. Raises WriteConflict if it has changed, and NotFound if
        it is deleted already.
        """
        ...

    def create_upload(self, url: ObjectUrl, job: str) -> str:
        """Begin the multipart upload of a large object, marked with its job. Return the upload's
        id.
        """
        ...

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        """Upload a part, numbered from 1 to 10,000; each but the last has at least 5 MiB. Return
        its ETag. Raises NotFound if the upload has ended.
        """
        ...

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        """Make an object of parts with ascending numbers. Raises NotFound if the upload has ended,
        as it does when it is completed, and WriteConflict if an object of that name exists.
        """
        ...

"""Objects in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import md5

from waypost.errors import Conflict, NotFound
from waypost.store.objects import ObjectUrl


class MemoryObjects:
    """``waypost.store.objects.ObjectStore``."""

    def __init__(self) -> None:
        self._objects: dict[ObjectUrl, bytes] = {}
        self._uploads: dict[str, dict[int, bytes]] = {}

    def version(self, url: ObjectUrl) -> str:
        return md5(self._whole(url), usedforsecurity=False).hexdigest()

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        if version != self.version(url):
            raise Conflict(f"{url} has changed")
        data = self._whole(url)
        yield from (data[at : at + 7] for at in range(start, len(data), 7))

    def read(self, url: ObjectUrl) -> bytes | None:
        return self._objects.get(url)

    def write(self, url: ObjectUrl, data: bytes) -> None:
        self._objects[url] = data

    def delete(self, url: ObjectUrl) -> None:
        self._objects.pop(url, None)

    def begin(self, url: ObjectUrl) -> str:
        upload = f"{url}#{len(self._uploads)}"
        self._uploads[upload] = {}
        return upload

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        self._uploads[upload][number] = data
        return f"{url}#{number}"

    def complete(self, url: ObjectUrl, upload: str, tags: Sequence[str]) -> None:
        parts = self._uploads.pop(upload)
        self._objects[url] = b"".join(parts[number] for number in range(1, len(tags) + 1))

    def _whole(self, url: ObjectUrl) -> bytes:
        if url not in self._objects:
            raise NotFound("object", str(url))
        return self._objects[url]

"""Objects in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import md5
from itertools import count

from waypost.errors import Conflict, NotFound, StoreUnavailable
from waypost.repositories.objects import ObjectState, ObjectUrl, Part, SmallObject


class MemoryObjects:
    """``waypost.store.objects.ObjectStore``."""

    def __init__(self) -> None:
        self._objects: dict[ObjectUrl, SmallObject] = {}
        self._uploads: dict[str, dict[int, SmallObject]] = {}
        self._names = count()

    def state(self, url: ObjectUrl) -> ObjectState:
        found = self._found(url)
        return ObjectState(found.version, len(found.data))

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        size = len(self._found(url).data)
        step = max(7, size // 10_000)  # lines end anywhere in what is read at once
        for at in range(start, size, step):
            now = self._found(url)
            if now.version != version:
                raise Conflict(f"{url} has changed")
            yield now.data[at : at + step]

    def read(self, url: ObjectUrl) -> SmallObject | None:
        return self._objects.get(url)

    def write(self, url: ObjectUrl, data: bytes) -> None:
        self._objects[url] = _object(data)

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        now = self._objects.get(url)
        if version != (now.version if now else None):
            raise Conflict(f"{url} has changed")
        self._objects[url] = _object(data)
        return self._objects[url].version

    def delete(self, url: ObjectUrl) -> None:
        self._objects.pop(url, None)

    def begin(self, url: ObjectUrl) -> str:
        upload = f"{url}#{next(self._names)}"
        self._uploads[upload] = {}
        return upload

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        part = self._upload(url, upload)[number] = _object(data)
        return part.version

    def complete(self, url: ObjectUrl, upload: str, parts: Sequence[Part]) -> None:
        written = self._upload(url, upload)
        if any(written[number].version != tag for number, tag in parts):
            raise StoreUnavailable(f"{url}: InvalidPart")
        self.write(url, b"".join(written[number].data for number, _ in parts))
        del self._uploads[upload]

    def _upload(self, url: ObjectUrl, upload: str) -> dict[int, SmallObject]:
        if upload not in self._uploads:
            raise NotFound("upload to", str(url))
        return self._uploads[upload]

    def _found(self, url: ObjectUrl) -> SmallObject:
        if url not in self._objects:
            raise NotFound("object", str(url))
        return self._objects[url]


def _object(data: bytes) -> SmallObject:
    return SmallObject(data, md5(data, usedforsecurity=False).hexdigest())

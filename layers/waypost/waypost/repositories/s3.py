"""Objects in S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from waypost.errors import Conflict, NotFound, StoreUnavailable
from waypost.repositories.objects import ObjectState, ObjectUrl, Part, SmallObject

_RANGE: Final = 4 * 1024 * 1024
"""Bytes that are asked for at once: few enough to be read before any work is done on them."""
_MISSING: Final = {"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "404"}
_DENIED: Final = {"403", "AccessDenied"}
_CHANGED: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_PAST_THE_END: Final = {"InvalidRange", "416"}


class S3Objects:
    """``waypost.repositories.objects.ObjectStore``."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - clients have no common type
        self._client = client

    def state(self, url: ObjectUrl) -> ObjectState:
        with _translated(url):
            answer = self._client.head_object(**_at(url))
            return ObjectState(_told(answer, "ETag", url), int(answer["ContentLength"]))

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        while data := self._range(url, version, start):
            yield data
            start += len(data)

    def read(self, url: ObjectUrl) -> SmallObject | None:
        try:
            with _translated(url):
                answer = self._client.get_object(**_at(url))
                version = _told(answer, "ETag", url)
                return SmallObject(bytes(answer["Body"].read()), version)
        except NotFound:
            return None

    def write(self, url: ObjectUrl, data: bytes) -> None:
        with _translated(url):
            _told(self._client.put_object(**_at(url), Body=data), "ETag", url)

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            with _translated(url, begun=True):
                answer = self._client.put_object(**_at(url), Body=data, **condition)
                return _told(answer, "ETag", url)
        except NotFound:
            if version is None:
                raise
            raise Conflict(f"{url} is gone") from None

    def delete(self, url: ObjectUrl) -> None:
        with _translated(url, begun=True):
            self._client.delete_object(**_at(url))

    def begin(self, url: ObjectUrl) -> str:
        with _translated(url):
            answer = self._client.create_multipart_upload(
                **_at(url), ContentType="application/x-ndjson"
            )
            return _told(answer, "UploadId", url)

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        with _translated(url, begun=True):
            answer = self._client.upload_part(
                **_at(url), UploadId=upload, PartNumber=number, Body=data
            )
            return _told(answer, "ETag", url)

    def complete(self, url: ObjectUrl, upload: str, parts: Sequence[Part]) -> None:
        told = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        with _translated(url, begun=True):
            self._client.complete_multipart_upload(
                **_at(url), UploadId=upload, MultipartUpload={"Parts": told}
            )

    def _range(self, url: ObjectUrl, version: str, start: int) -> bytes:
        asked = f"bytes={start}-{start + _RANGE - 1}"
        try:
            with _translated(url):
                answer = self._client.get_object(**_at(url), IfMatch=version, Range=asked)
                if _told(answer, "ETag", url) != version:
                    raise Conflict(f"{url} has changed")
                return bytes(answer["Body"].read())
        except _PastTheEnd:
            return b""


class _PastTheEnd(Exception):
    """An object has no bytes where they were asked for."""


def _at(url: ObjectUrl) -> dict[str, str]:
    return {"Bucket": url.bucket, "Key": url.key}


def _told(answer: Mapping[str, Any], name: str, url: ObjectUrl) -> str:
    """What S3 says in every answer of its own; whatever else answers for it does not."""
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise StoreUnavailable(f"{url}: the answer is not S3's")
    return value


@contextmanager
def _translated(url: ObjectUrl, *, begun: bool = False) -> Iterator[None]:
    """Turn what a client raises into errors of ours. S3 denies what is not there to who may not
    list a bucket; ``begun``: it was there before, so being denied says nothing of the kind.
    """
    try:
        yield
    except Exception as e:
        answer: object = getattr(e, "response", None)
        if isinstance(answer, Mapping):
            code = str(answer.get("Error", {}).get("Code", ""))
            raise _of_answer("404" if code in _DENIED and not begun else code, url) from e
        if isinstance(e, OSError) or type(e).__module__.startswith(("botocore", "urllib3")):
            raise StoreUnavailable(f"{url}: S3 did not answer") from e
        raise


def _of_answer(code: str, url: ObjectUrl) -> Exception:
    if code in _MISSING:
        return NotFound("object", str(url))
    if code in _CHANGED:
        return Conflict(f"{url} has changed")
    if code in _PAST_THE_END:
        return _PastTheEnd()
    return StoreUnavailable(f"{url}: {code}")

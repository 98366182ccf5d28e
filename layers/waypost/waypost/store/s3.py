"""Objects in S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from waypost.errors import Conflict, NotFound, StoreUnavailable
from waypost.store.objects import ObjectUrl

_CHUNK: Final = 256 * 1024
_MISSING: Final = {"NoSuchKey", "NoSuchBucket", "404", "403", "AccessDenied"}
_CHANGED: Final = {"PreconditionFailed", "412"}


class S3Objects:
    """``waypost.store.objects.ObjectStore``."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - clients have no common type
        self._client = client

    def version(self, url: ObjectUrl) -> str:
        with _translated(url):
            return str(self._client.head_object(**_at(url))["ETag"])

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        with _translated(url):
            answer = self._client.get_object(**_at(url), IfMatch=version, Range=f"bytes={start}-")
            yield from answer["Body"].iter_chunks(_CHUNK)

    def read(self, url: ObjectUrl) -> bytes | None:
        try:
            with _translated(url):
                return bytes(self._client.get_object(**_at(url))["Body"].read())
        except NotFound:
            return None

    def write(self, url: ObjectUrl, data: bytes) -> None:
        with _translated(url):
            self._client.put_object(**_at(url), Body=data)

    def delete(self, url: ObjectUrl) -> None:
        with _translated(url):
            self._client.delete_object(**_at(url))

    def begin(self, url: ObjectUrl) -> str:
        with _translated(url):
            answer = self._client.create_multipart_upload(
                **_at(url), ContentType="application/x-ndjson"
            )
            return str(answer["UploadId"])

    def put_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        with _translated(url):
            answer = self._client.upload_part(
                **_at(url), UploadId=upload, PartNumber=number, Body=data
            )
            return str(answer["ETag"])

    def complete(self, url: ObjectUrl, upload: str, tags: Sequence[str]) -> None:
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        with _translated(url):
            self._client.complete_multipart_upload(
                **_at(url), UploadId=upload, MultipartUpload={"Parts": parts}
            )


def _at(url: ObjectUrl) -> dict[str, str]:
    return {"Bucket": url.bucket, "Key": url.key}


@contextmanager
def _translated(url: ObjectUrl) -> Iterator[None]:
    """Turn what a client raises into errors of ours."""
    try:
        yield
    except Exception as e:
        answer: object = getattr(e, "response", None)
        if isinstance(answer, Mapping):
            raise _of_answer(str(answer.get("Error", {}).get("Code", "")), url) from e
        if isinstance(e, OSError) or type(e).__module__.startswith(("botocore", "urllib3")):
            raise StoreUnavailable(f"no answer: {type(e).__name__}") from e
        raise


def _of_answer(code: str, url: ObjectUrl) -> NotFound | Conflict | StoreUnavailable:
    if code in _MISSING:
        return NotFound("object", str(url))
    if code in _CHANGED:
        return Conflict(f"{url} has changed")
    return StoreUnavailable(f"{url}: {code}")

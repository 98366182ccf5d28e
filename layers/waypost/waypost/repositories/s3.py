"""Objects in S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from waypost.errors import NotFound, StoreUnavailable, WriteConflict
from waypost.repositories.objects import ObjectContent, ObjectState, ObjectUrl, UploadPart

_RANGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes that are asked for at once: few enough to be read before any work is done on them."""
_MISSING_CODES: Final = {"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "404"}
_DENIED_CODES: Final = {"403", "AccessDenied"}
_CHANGED_CODES: Final = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_PAST_END_CODES: Final = {"InvalidRange", "416"}


class S3ObjectStore:
    """``waypost.repositories.objects.ObjectStore``."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - clients have no common type
        self._client = client

    def get_state(self, url: ObjectUrl) -> ObjectState:
        with _translate_s3_errors(url):
            answer = self._client.head_object(**_object_location(url))
            return ObjectState(_require_field(answer, "ETag", url), int(answer["ContentLength"]))

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        while data := self._read_range(url, version, start):
            yield data
            start += len(data)

    def read(self, url: ObjectUrl) -> ObjectContent | None:
        try:
            with _translate_s3_errors(url):
                answer = self._client.get_object(**_object_location(url))
                version = _require_field(answer, "ETag", url)
                return ObjectContent(bytes(answer["Body"].read()), version)
        except NotFound:
            return None

    def write(self, url: ObjectUrl, data: bytes) -> None:
        with _translate_s3_errors(url):
            _require_field(self._client.put_object(**_object_location(url), Body=data), "ETag", url)

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            with _translate_s3_errors(url, is_known_to_exist=True):
                answer = self._client.put_object(**_object_location(url), Body=data, **condition)
                return _require_field(answer, "ETag", url)
        except NotFound:
            if version is None:
                raise
            raise WriteConflict(f"{url} is gone") from None

    def delete(self, url: ObjectUrl) -> None:
        with _translate_s3_errors(url, is_known_to_exist=True):
            self._client.delete_object(**_object_location(url))

    def create_upload(self, url: ObjectUrl) -> str:
        with _translate_s3_errors(url):
            answer = self._client.create_multipart_upload(
                **_object_location(url), ContentType="application/x-ndjson"
            )
            return _require_field(answer, "UploadId", url)

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        with _translate_s3_errors(url, is_known_to_exist=True):
            answer = self._client.upload_part(
                **_object_location(url), UploadId=upload, PartNumber=number, Body=data
            )
            return _require_field(answer, "ETag", url)

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        told = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        with _translate_s3_errors(url, is_known_to_exist=True):
            self._client.complete_multipart_upload(
                **_object_location(url), UploadId=upload, MultipartUpload={"Parts": told}
            )

    def _read_range(self, url: ObjectUrl, version: str, start: int) -> bytes:
        asked = f"bytes={start}-{start + _RANGE_BYTES - 1}"
        try:
            with _translate_s3_errors(url):
                answer = self._client.get_object(
                    **_object_location(url), IfMatch=version, Range=asked
                )
                if _require_field(answer, "ETag", url) != version:
                    raise WriteConflict(f"{url} has changed")
                return bytes(answer["Body"].read())
        except _RangePastEnd:
            return b""


class _RangePastEnd(Exception):
    """An object has no bytes where they were asked for."""


def _object_location(url: ObjectUrl) -> dict[str, str]:
    return {"Bucket": url.bucket, "Key": url.key}


def _require_field(response: Mapping[str, Any], name: str, url: ObjectUrl) -> str:
    """What S3 says in every answer of its own; whatever else answers for it does not."""
    value = response.get(name)
    if not isinstance(value, str) or not value:
        raise StoreUnavailable(f"{url}: the answer is not S3's")
    return value


@contextmanager
def _translate_s3_errors(url: ObjectUrl, *, is_known_to_exist: bool = False) -> Iterator[None]:
    """Turn what a client raises into errors of ours. S3 denies what is not there to who may not
    list a bucket; ``begun``: it was there before, so being denied says nothing of the kind.
    """
    try:
        yield
    except Exception as e:
        answer: object = getattr(e, "response", None)
        if isinstance(answer, Mapping):
            code = str(answer.get("Error", {}).get("Code", ""))
            raise _convert_error_code(
                "404" if code in _DENIED_CODES and not is_known_to_exist else code, url
            ) from e
        if isinstance(e, OSError) or type(e).__module__.startswith(("botocore", "urllib3")):
            raise StoreUnavailable(f"{url}: S3 did not answer") from e
        raise


def _convert_error_code(code: str, url: ObjectUrl) -> Exception:
    if code in _MISSING_CODES:
        return NotFound("object", str(url))
    if code in _CHANGED_CODES:
        return WriteConflict(f"{url} has changed")
    if code in _PAST_END_CODES:
        return _RangePastEnd()
    return StoreUnavailable(f"{url}: {code}")

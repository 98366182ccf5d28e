"""Objects in S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from waypost.errors import NotFound, StoreUnavailable, TooLarge, WriteConflict
from waypost.repositories.objects import (
    MAX_SMALL_OBJECT_BYTES,
    ObjectContent,
    ObjectState,
    ObjectUrl,
    UploadPart,
)

_RANGE_BYTES: Final = 4 * 1024 * 1024
"""Bytes of a request: few enough to be read before they are processed."""
_JOB_METADATA: Final = "waypost-job"
"""The metadata (``x-amz-meta-…``) with the mark of an object's job."""
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
            response = self._client.head_object(**_object_location(url))
            return ObjectState(
                version=_require_field(response, "ETag", url),
                size=int(response["ContentLength"]),
                job=response.get("Metadata", {}).get(_JOB_METADATA, ""),
            )

    def stream(self, url: ObjectUrl, version: str, start: int) -> Iterator[bytes]:
        while data := self._read_range(url, version, start):
            yield data
            start += len(data)

    def read(self, url: ObjectUrl) -> ObjectContent | None:
        try:
            with _translate_s3_errors(url):
                response = self._client.get_object(**_object_location(url))
                version = _require_field(response, "ETag", url)
                if (size := int(response["ContentLength"])) > MAX_SMALL_OBJECT_BYTES:
                    response["Body"].close()
                    raise TooLarge(str(url), size, MAX_SMALL_OBJECT_BYTES)
                return ObjectContent(bytes(response["Body"].read()), version)
        except NotFound:
            return None

    def replace(self, url: ObjectUrl, data: bytes, version: str | None) -> str:
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            with _translate_s3_errors(url, is_known_to_exist=True):
                response = self._client.put_object(**_object_location(url), Body=data, **condition)
                return _require_field(response, "ETag", url)
        except NotFound:
            if version is None:
                raise
            raise WriteConflict(f"{url}: object was deleted") from None

    def delete(self, url: ObjectUrl, version: str) -> None:
        with _translate_s3_errors(url, is_known_to_exist=True):
            self._client.delete_object(**_object_location(url), IfMatch=version)

    def create_upload(self, url: ObjectUrl, job: str) -> str:
        with _translate_s3_errors(url):
            response = self._client.create_multipart_upload(
                **_object_location(url),
                ContentType="application/x-ndjson",
                Metadata={_JOB_METADATA: job},
            )
            return _require_field(response, "UploadId", url)

    def upload_part(self, url: ObjectUrl, upload: str, number: int, data: bytes) -> str:
        with _translate_s3_errors(url, is_known_to_exist=True):
            response = self._client.upload_part(
                **_object_location(url), UploadId=upload, PartNumber=number, Body=data
            )
            return _require_field(response, "ETag", url)

    def complete_upload(self, url: ObjectUrl, upload: str, parts: Sequence[UploadPart]) -> None:
        completed = [{"PartNumber": number, "ETag": tag} for number, tag in parts]
        with _translate_s3_errors(url, is_known_to_exist=True):
            self._client.complete_multipart_upload(
                **_object_location(url),
                UploadId=upload,
                MultipartUpload={"Parts": completed},
                IfNoneMatch="*",
            )

    def _read_range(self, url: ObjectUrl, version: str, start: int) -> bytes:
        byte_range = f"bytes={start}-{start + _RANGE_BYTES - 1}"
        try:
            with _translate_s3_errors(url):
                response = self._client.get_object(
                    **_object_location(url), IfMatch=version, Range=byte_range
                )
                if _require_field(response, "ETag", url) != version:
                    raise WriteConflict(f"{url}: object has changed")
                return bytes(response["Body"].read())
        except _RangePastEnd:
            return b""


class _RangePastEnd(Exception):
    """Raised when a range begins at an object's end or after it."""


def _object_location(url: ObjectUrl) -> dict[str, str]:
    return {"Bucket": url.bucket, "Key": url.key}


def _require_field(response: Mapping[str, Any], name: str, url: ObjectUrl) -> str:
    """Return a field of every response of S3. A proxy's response in its place lacks it."""
    value = response.get(name)
    if not isinstance(value, str) or not value:
        raise StoreUnavailable(f"{url}: response is not S3's (no {name})")
    return value


@contextmanager
def _translate_s3_errors(url: ObjectUrl, *, is_known_to_exist: bool = False) -> Iterator[None]:
    """Convert a client's exceptions. For a missing object, S3 returns 403 if the caller cannot list
    the bucket: 403 means NotFound unless the object is known to exist.
    """
    try:
        yield
    except Exception as e:
        response: object = getattr(e, "response", None)
        if isinstance(response, Mapping):
            code = str(response.get("Error", {}).get("Code", ""))
            raise _convert_error_code(
                "404" if code in _DENIED_CODES and not is_known_to_exist else code, url
            ) from e
        if isinstance(e, OSError) or type(e).__module__.startswith(("botocore", "urllib3")):
            raise StoreUnavailable(f"{url}: no response from S3") from e
        raise


def _convert_error_code(code: str, url: ObjectUrl) -> Exception:
    if code in _MISSING_CODES:
        return NotFound("object", str(url))
    if code in _CHANGED_CODES:
        return WriteConflict(f"{url}: object has changed")
    if code in _PAST_END_CODES:
        return _RangePastEnd()
    return StoreUnavailable(f"{url}: {code}")

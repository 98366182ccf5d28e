"""Test the object stores, S3 and in memory."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests.fakes import InMemoryObjectStore
from waypost.errors import NotFound, StoreUnavailable, TooLarge, WriteConflict
from waypost.repositories.objects import (
    MAX_SMALL_OBJECT_BYTES,
    ObjectContent,
    ObjectStore,
    ObjectUrl,
)
from waypost.repositories.s3 import S3ObjectStore

URL = ObjectUrl("files", "in/recipients.ndjson")
LARGE = 5 * 1024 * 1024


@pytest.fixture(params=["memory", "s3"])
def objects(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    if request.param == "memory":
        yield InMemoryObjectStore()
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=URL.bucket)
        yield S3ObjectStore(client)


def test_an_object_is_read_from_any_offset(objects: ObjectStore):
    objects.replace(URL, b"0123456789" * 9, None)
    state = objects.get_state(URL)
    assert state.size == 90
    assert b"".join(objects.stream(URL, state.version, 85)) == b"56789"
    assert b"".join(objects.stream(URL, state.version, 0)) == b"0123456789" * 9
    assert objects.read(URL) == ObjectContent(b"0123456789" * 9, state.version)


@pytest.mark.parametrize("data", [b"", b"0123456789"])
def test_object_has_no_bytes_from_its_end(objects: ObjectStore, data: bytes):
    objects.replace(URL, data, None)
    state = objects.get_state(URL)
    assert list(objects.stream(URL, state.version, state.size)) == []


def test_a_large_object_is_read_range_by_range(objects: ObjectStore):
    data = bytes(range(256)) * (LARGE // 256)
    objects.replace(URL, data, None)
    assert b"".join(objects.stream(URL, objects.get_state(URL).version, 5)) == data[5:]


def test_object_is_replaced_only_in_the_version_that_was_read(objects: ObjectStore):
    first = objects.replace(URL, b"a", None)
    with pytest.raises(WriteConflict):
        objects.replace(URL, b"b", None)
    second = objects.replace(URL, b"b", first)
    with pytest.raises(WriteConflict):
        objects.replace(URL, b"c", first)
    assert objects.read(URL) == ObjectContent(b"b", second)
    objects.delete(URL, second)
    with pytest.raises(WriteConflict):
        objects.replace(URL, b"c", second)


def test_reading_stops_if_the_object_changed(objects: ObjectStore):
    objects.replace(URL, b"before", None)
    version = objects.get_state(URL).version
    objects.replace(URL, b"after", version)
    with pytest.raises(WriteConflict):
        list(objects.stream(URL, version, 0))


def test_missing_object_raises_not_found(objects: ObjectStore):
    assert objects.read(URL) is None
    with pytest.raises(NotFound):
        objects.delete(URL, "x")
    with pytest.raises(NotFound):
        objects.get_state(URL)
    with pytest.raises(NotFound):
        list(objects.stream(URL, "x", 0))


def test_object_consists_of_the_listed_parts_only(objects: ObjectStore):
    upload = objects.create_upload(URL, "job-1")
    objects.upload_part(URL, upload, 1, b"lost" * LARGE)
    parts = [
        (number, objects.upload_part(URL, upload, number, data))
        for number, data in ((1, b"a" * LARGE), (4, b"b"))
    ]
    objects.upload_part(URL, upload, 2, b"given up")
    assert objects.read(URL) is None
    objects.complete_upload(URL, upload, parts)
    assert b"".join(objects.stream(URL, objects.get_state(URL).version, 0)) == b"a" * LARGE + b"b"


def test_object_is_deleted_only_in_the_version_that_was_read(objects: ObjectStore):
    first = objects.replace(URL, b"a", None)
    second = objects.replace(URL, b"b", first)
    with pytest.raises(WriteConflict):
        objects.delete(URL, first)
    assert objects.read(URL) == ObjectContent(b"b", second)
    objects.delete(URL, second)
    assert objects.read(URL) is None


def test_object_over_the_limit_is_not_read_as_a_whole(objects: ObjectStore):
    data = bytes(MAX_SMALL_OBJECT_BYTES + 1)
    version = objects.replace(URL, data[:-1], None)
    assert objects.read(URL) == ObjectContent(data[:-1], version)
    objects.replace(URL, data, version)
    with pytest.raises(TooLarge, match=f"{URL} is 16,777,217 bytes"):
        objects.read(URL)


def test_upload_never_replaces_an_object(objects: ObjectStore):
    first, second = objects.create_upload(URL, "job-1"), objects.create_upload(URL, "job-2")
    first_tag = objects.upload_part(URL, first, 1, b"first")
    second_tag = objects.upload_part(URL, second, 1, b"second")
    objects.complete_upload(URL, second, [(1, second_tag)])
    with pytest.raises(WriteConflict):
        objects.complete_upload(URL, first, [(1, first_tag)])
    state = objects.get_state(URL)
    assert b"".join(objects.stream(URL, state.version, 0)) == b"second"
    assert state.job == "job-2"


def test_only_uploads_have_the_mark_of_a_job(objects: ObjectStore):
    objects.replace(URL, b"a", None)
    assert objects.get_state(URL).job == ""


def test_completing_with_the_tag_of_an_overwritten_part_fails(objects: ObjectStore):
    upload = objects.create_upload(URL, "job-1")
    tag = objects.upload_part(URL, upload, 1, b"mine")
    objects.upload_part(URL, upload, 1, b"another's")
    with pytest.raises(StoreUnavailable):
        objects.complete_upload(URL, upload, [(1, tag)])


def test_url_with_suffix_names_an_object_beside_it():
    assert str(URL.with_suffix(".progress")) == "s3://files/in/recipients.ndjson.progress"

"""Test the object stores, S3 and in memory."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from tests.fakes import InMemoryObjectStore
from waypost.errors import NotFound, StoreUnavailable, WriteConflict
from waypost.repositories.objects import ObjectContent, ObjectStore, ObjectUrl
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
    objects.write(URL, b"0123456789" * 9)
    state = objects.get_state(URL)
    assert state.size == 90
    assert b"".join(objects.stream(URL, state.version, 85)) == b"56789"
    assert b"".join(objects.stream(URL, state.version, 0)) == b"0123456789" * 9
    assert objects.read(URL) == ObjectContent(b"0123456789" * 9, state.version)


@pytest.mark.parametrize("data", [b"", b"0123456789"])
def test_object_has_no_bytes_from_its_end(objects: ObjectStore, data: bytes):
    objects.write(URL, data)
    state = objects.get_state(URL)
    assert list(objects.stream(URL, state.version, state.size)) == []


def test_a_large_object_is_read_range_by_range(objects: ObjectStore):
    data = bytes(range(256)) * (LARGE // 256)
    objects.write(URL, data)
    assert b"".join(objects.stream(URL, objects.get_state(URL).version, 5)) == data[5:]


def test_object_is_replaced_only_in_the_version_that_was_read(objects: ObjectStore):
    first = objects.replace(URL, b"a", None)
    with pytest.raises(WriteConflict):
        objects.replace(URL, b"b", None)
    second = objects.replace(URL, b"b", first)
    with pytest.raises(WriteConflict):
        objects.replace(URL, b"c", first)
    assert objects.read(URL) == ObjectContent(b"b", second)
    objects.delete(URL)
    with pytest.raises(WriteConflict):
        objects.replace(URL, b"c", second)


def test_reading_stops_if_the_object_changed(objects: ObjectStore):
    objects.write(URL, b"before")
    version = objects.get_state(URL).version
    objects.write(URL, b"after")
    with pytest.raises(WriteConflict):
        list(objects.stream(URL, version, 0))


def test_missing_object_raises_not_found(objects: ObjectStore):
    assert objects.read(URL) is None
    objects.delete(URL)
    with pytest.raises(NotFound):
        objects.get_state(URL)
    with pytest.raises(NotFound):
        list(objects.stream(URL, "x", 0))


def test_object_consists_of_the_listed_parts_only(objects: ObjectStore):
    upload = objects.create_upload(URL)
    objects.upload_part(URL, upload, 1, b"lost" * LARGE)
    parts = [
        (number, objects.upload_part(URL, upload, number, data))
        for number, data in ((1, b"a" * LARGE), (4, b"b"))
    ]
    objects.upload_part(URL, upload, 2, b"given up")
    assert objects.read(URL) is None
    objects.complete_upload(URL, upload, parts)
    assert b"".join(objects.stream(URL, objects.get_state(URL).version, 0)) == b"a" * LARGE + b"b"


def test_completing_with_the_tag_of_an_overwritten_part_fails(objects: ObjectStore):
    upload = objects.create_upload(URL)
    tag = objects.upload_part(URL, upload, 1, b"mine")
    objects.upload_part(URL, upload, 1, b"another's")
    with pytest.raises(StoreUnavailable):
        objects.complete_upload(URL, upload, [(1, tag)])


def test_url_with_suffix_names_an_object_beside_it():
    assert str(URL.with_suffix(".progress")) == "s3://files/in/recipients.ndjson.progress"

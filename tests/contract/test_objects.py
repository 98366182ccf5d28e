"""Objects: one contract for S3 and its twin."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from waypost.errors import Conflict, NotFound
from waypost.store.memory.objects import MemoryObjects
from waypost.store.objects import ObjectStore, ObjectUrl
from waypost.store.s3 import S3Objects

URL = ObjectUrl("files", "in/recipients.ndjson")
LARGE = 5 * 1024 * 1024


@pytest.fixture(params=["memory", "s3"])
def objects(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryObjects()
        return
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=URL.bucket)
        yield S3Objects(client)


def test_an_object_is_read_from_any_offset(objects: ObjectStore):
    objects.write(URL, b"0123456789" * 9)
    version = objects.version(URL)
    assert b"".join(objects.stream(URL, version, 85)) == b"56789"
    assert b"".join(objects.stream(URL, version, 0)) == objects.read(URL) == b"0123456789" * 9


def test_an_object_that_changed_is_not_read_on(objects: ObjectStore):
    objects.write(URL, b"before")
    version = objects.version(URL)
    objects.write(URL, b"after")
    with pytest.raises(Conflict):
        list(objects.stream(URL, version, 0))


def test_an_object_that_is_not_there(objects: ObjectStore):
    assert objects.read(URL) is None
    objects.delete(URL)
    with pytest.raises(NotFound):
        objects.version(URL)
    with pytest.raises(NotFound):
        list(objects.stream(URL, "x", 0))


def test_parts_make_an_object_and_a_part_may_be_written_again(objects: ObjectStore):
    upload = objects.begin(URL)
    objects.put_part(URL, upload, 1, b"lost" * LARGE)
    tags = [objects.put_part(URL, upload, 1, b"a" * LARGE), objects.put_part(URL, upload, 2, b"b")]
    assert objects.read(URL) is None
    objects.complete(URL, upload, tags)
    assert objects.read(URL) == b"a" * LARGE + b"b"


def test_a_url_names_what_lies_beside_it():
    assert str(URL.beside(".progress")) == "s3://files/in/recipients.ndjson.progress"

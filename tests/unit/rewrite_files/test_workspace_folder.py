"""Test that a job reads and writes only in the folder of its message's workspace."""

from __future__ import annotations

import json

import pytest

from tests.fakes import (
    InMemoryObjectStore,
)
from tests.rewrite_harness import create_rewrite_service
from waypost.errors import InvalidRequest
from waypost.repositories.objects import ObjectContent, ObjectUrl
from waypost.rewrite_files.schemas import FileRequest
from waypost.rewrite_files.service import FileRewriteService
from waypost.tokens import Keyring, TokenSealer
from waypost.validation import validate_value

BUCKET = "files"
KEYRING = Keyring((b"k" * 32,))
MESSAGE = {
    "workspace": "acme",
    "campaign": "sale",
    "content": {"html": '<a href="https://e.com/">x</a>'},
}
RECIPIENT = {"delivery": "d1"}


class CountingObjectStore(InMemoryObjectStore):
    """Records the addresses that were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_urls: set[str] = set()

    def _get_object(self, url: ObjectUrl) -> ObjectContent:
        self.read_urls.add(str(url))
        return super()._get_object(url)


def run(
    objects: InMemoryObjectStore,
    input_url: str,
    output_url: str,
    *,
    bucket: str = BUCKET,
    **more: object,
) -> object:
    rewrite_service = create_rewrite_service(get_sealer=lambda: TokenSealer(KEYRING))
    service = FileRewriteService(rewrite_service, objects, bucket, lambda: 1e4, lambda _, __: None)
    request = validate_value(FileRequest, {"input": input_url, "output": output_url, **more})
    return service.rewrite_file(request)


def put_recipients(objects: InMemoryObjectStore, url: str, *first: object) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    lines = (*first, RECIPIENT)
    objects.put(ObjectUrl(bucket, key), "\n".join(map(json.dumps, lines)).encode())


OUTSIDE = [
    "s3://files/other/x.ndjson",
    "s3://files/acme-2/x.ndjson",
    "s3://files/acm/x.ndjson",
    "s3://files/ACME/x.ndjson",
    "s3://files/~YWNtZQ/x.ndjson",
    "s3://files/x/acme/x.ndjson",
    "s3://another-bucket/acme/x.ndjson",
    "s3://files.acme/acme/x.ndjson",
]


@pytest.mark.parametrize("url", OUTSIDE)
@pytest.mark.parametrize("field", ["input", "output"])
def test_file_outside_of_the_workspaces_folder_is_refused_and_not_read(
    url: str, field: str
) -> None:
    objects = CountingObjectStore()
    urls = {"input": "s3://files/acme/in.ndjson", "output": "s3://files/acme/out.ndjson"}
    put_recipients(objects, urls["input"])
    put_recipients(objects, url)
    with pytest.raises(InvalidRequest) as refused:
        run(objects, *(urls | {field: url}).values(), message=MESSAGE)
    (problem,) = refused.value.problems
    assert problem.field == field
    assert url in problem.reason
    assert "must begin with s3://files/acme/" in problem.reason
    assert objects.read_urls == set()


@pytest.mark.parametrize("url", OUTSIDE)
def test_output_of_another_folder_than_the_input_is_refused_before_the_message_is_read(
    url: str,
) -> None:
    objects = CountingObjectStore()
    put_recipients(objects, "s3://files/acme/in.ndjson", MESSAGE)
    with pytest.raises(InvalidRequest, match=r"output: .*must begin with s3://files/acme/"):
        run(objects, "s3://files/acme/in.ndjson", url)
    assert objects.read_urls == set()


def test_message_in_a_file_of_another_workspaces_folder_is_refused() -> None:
    objects = InMemoryObjectStore()
    put_recipients(objects, "s3://files/other/in.ndjson", MESSAGE)
    with pytest.raises(InvalidRequest) as refused:
        run(objects, "s3://files/other/in.ndjson", "s3://files/other/out.ndjson")
    assert {each.field for each in refused.value.problems} == {"input", "output"}
    assert all("must begin with s3://files/acme/" in str(each) for each in refused.value.problems)
    assert objects.read(ObjectUrl("files", "other/out.ndjson")) is None


@pytest.mark.parametrize(
    ("workspace", "folder"),
    [("acme", "acme"), ("acme/eu", "~YWNtZS9ldQ"), ("..", "~Li4"), ("café", "~Y2Fmw6k")],
)
@pytest.mark.parametrize("in_request", [True, False])
def test_folder_is_derived_from_the_whole_name(
    workspace: str, folder: str, in_request: bool
) -> None:
    objects = InMemoryObjectStore()
    message = {**MESSAGE, "workspace": workspace}
    source, target = f"s3://files/{folder}/in.ndjson", f"s3://files/{folder}/a/out.ndjson"
    put_recipients(objects, source, *([] if in_request else [message]))
    run(objects, source, target, message=message if in_request else None)
    assert objects.read(ObjectUrl("files", f"{folder}/a/out.ndjson")) is not None


@pytest.mark.parametrize("first", [[], [MESSAGE]])
def test_stack_without_a_bucket_refuses_files(first: list[object]) -> None:
    objects = CountingObjectStore()
    put_recipients(objects, "s3://files/acme/in", *first)
    with pytest.raises(InvalidRequest, match=r"input: .*no bucket of files.*FilesBucket"):
        run(objects, "s3://files/acme/in", "s3://files/acme/out", bucket="")
    assert objects.read_urls == set()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "is not s3://bucket/folder/name"),
        ("https://files/acme/x", "is not s3://bucket/folder/name"),
        ("S3://files/acme/x", "is not s3://bucket/folder/name"),
        ("s3:///acme/x", "is not s3://bucket/folder/name"),
        ("s3://files", "is not s3://bucket/folder/name"),
        ("s3://files/", "is not s3://bucket/folder/name"),
        ("s3://files/x.ndjson", "is not s3://bucket/folder/name"),
        ("s3://files//x", "has a segment that is empty"),
        ("s3://files//acme/x", "has a segment that is empty"),
        ("s3://files/acme/", "has a segment that is empty"),
        ("s3://files/acme//x", "has a segment that is empty"),
        ("s3://files/acme/../other/x", "has a segment that is empty, . or .."),
        ("s3://files/acme/./x", "has a segment that is empty, . or .."),
        ("s3://files/acme/x/..", "has a segment that is empty, . or .."),
        ("s3://files/acme%2F..%2Fother/x", "'%'"),
        ("s3://files/acme/%2e%2e/other/x", "'%'"),
        ("s3://files/acme\\x/y", r"'\\'"),
        ("s3://files/acme/x?versionId=3", "'?'"),
        ("s3://files/acme/x#part", "'#'"),
        ("s3://files/acme/x\n", "'\\n'"),
        ("s3://files/acme/x\x00", "'\\x00'"),
        ("s3://files/acme/\u202ex", "'\\u202e'"),
        ("s3://files/acme/" + "x" * 1_008, "key is 1,013 bytes; at most 1,012 are accepted"),
        ("s3://files/acme/" + "é" * 504, "key is 1,013 bytes; at most 1,012 are accepted"),
    ],
)
@pytest.mark.parametrize("field", ["input", "output"])
def test_ambiguous_address_is_refused_with_its_reason(url: str, reason: str, field: str) -> None:
    urls = {"input": "s3://files/acme/in", "output": "s3://files/acme/out", field: url}
    with pytest.raises(InvalidRequest) as refused:
        validate_value(FileRequest, urls)
    (problem,) = refused.value.problems
    assert problem.field == field
    assert reason in problem.reason


@pytest.mark.parametrize(
    "url", ["s3://files/acme/a b & c=d+e, (1)!.ndjson", "s3://files/acme/früh/x..y", "s3://f/~YQ/x"]
)
def test_other_characters_are_accepted(url: str) -> None:
    request = validate_value(FileRequest, {"input": url, "output": "s3://files/acme/out"})
    assert str(request.source) == url


@pytest.mark.parametrize("suffix", ["", ".progress", ".report.json"])
def test_output_or_a_file_beside_it_must_not_be_the_input(suffix: str) -> None:
    urls = {"input": f"s3://files/acme/x{suffix}", "output": "s3://files/acme/x"}
    with pytest.raises(InvalidRequest, match=r"output: .*is the input"):
        validate_value(FileRequest, urls)

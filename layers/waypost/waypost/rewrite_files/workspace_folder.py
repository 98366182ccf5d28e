"""Keep the files of a job in the folder of its message's workspace: ``s3://bucket/folder/…``.

The function's role may read every folder of the bucket, and the caller's right to invoke it says
nothing about files. So each file must lie in the folder that the workspace's whole name determines.
"""

from __future__ import annotations

import re
from typing import Final

from waypost.errors import InvalidRequest, Problem
from waypost.path_names import encode_path_name
from waypost.repositories.objects import ObjectUrl

CHECKPOINT_SUFFIX: Final = ".progress"
REPORT_SUFFIX: Final = ".report.json"
FILE_SUFFIXES: Final = (CHECKPOINT_SUFFIX, REPORT_SUFFIX)
"""Suffixes of the files beside an output."""

_SCHEME: Final = "s3://"
_FORM: Final = "is not s3://bucket/folder/name, in the folder of the message's workspace"
_AMBIGUOUS: Final = re.compile(r"[\\%?#]")
"""Characters that some tools decode or cut off: another address than the one that was checked."""
MAX_KEY_BYTES: Final = 1024 - len(REPORT_SUFFIX)
"""Bytes of a key: S3's limit, less the suffix of the report."""


def parse_file_url(text: str) -> ObjectUrl:
    """Parse the address of a file; it means the same to every tool.

    :raises ValueError: with the reason and the value.
    """
    bucket, _, key = text.removeprefix(_SCHEME).partition("/")
    if not text.startswith(_SCHEME) or not bucket or "/" not in key:
        raise ValueError(f"{_FORM} ({text[:MAX_KEY_BYTES]!r})")
    if (size := len(key.encode(errors="surrogatepass"))) > MAX_KEY_BYTES:
        raise ValueError(f"key is {size:,} bytes; at most {MAX_KEY_BYTES:,} are accepted")
    if {"", ".", ".."} & set(key.split("/")):
        raise ValueError(f"has a segment that is empty, . or .. ({text!r})")
    for character in key:
        if not character.isprintable() or _AMBIGUOUS.match(character):
            raise ValueError(f"has a character that keys may not have, {character!r} ({text!r})")
    return ObjectUrl(bucket, key)


def check_workspace_folder(
    source: ObjectUrl, target: ObjectUrl, bucket: str, workspace: str
) -> None:
    """Check that input and output lie in the workspace's folder of the stack's bucket.

    :raises InvalidRequest: naming each file outside, and the prefix that it needs.
    """
    _check_prefix(source, target, bucket, encode_path_name(workspace))


def check_common_folder(source: ObjectUrl, target: ObjectUrl, bucket: str) -> None:
    """Check that input and output lie in one folder of the stack's bucket.

    For a message inside the input: its workspace is known only after the input is read.

    :raises InvalidRequest: naming each file outside, and the prefix that it needs.
    """
    _check_prefix(source, target, bucket, source.key.partition("/")[0])


def _check_prefix(source: ObjectUrl, target: ObjectUrl, bucket: str, folder: str) -> None:
    if not bucket:
        reason = "cannot be read: the stack has no bucket of files; set its parameter FilesBucket"
        raise InvalidRequest.from_field("input", reason)
    prefix = f"{_SCHEME}{bucket}/{folder}/"
    problems = [
        Problem(field, f"{url} is outside of the workspace's folder; it must begin with {prefix}")
        for field, url in (("input", source), ("output", target))
        if not str(url).startswith(prefix)
    ]
    if problems:
        raise InvalidRequest(*problems)

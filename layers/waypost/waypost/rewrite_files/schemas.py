"""What is asked for, and what is answered."""

from __future__ import annotations

from typing import Annotated, Final, NotRequired, TypedDict

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from waypost.repositories.objects import ObjectUrl
from waypost.rewrite_files.input import BadLine
from waypost.rewriting.report.entries import LinkEntry
from waypost.rewriting.report.segment_counts import SegmentCounts
from waypost.sending.outcomes import Failure

_SCHEME: Final = "s3://"


def _parsed(text: str) -> ObjectUrl:
    bucket, _, key = text.removeprefix(_SCHEME).partition("/")
    if not text.startswith(_SCHEME) or not bucket or not key:
        raise ValueError("is not s3://bucket/key")
    return ObjectUrl(bucket, key)


def _object_url(text: str) -> str:
    return str(_parsed(text))


class FileRequest(BaseModel):
    """Where the lines come from, and where they go. ``message``: for recipients on every line of
    the input. ``seconds``: how long one invocation works, unless it has to stop before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    input: Annotated[str, AfterValidator(_object_url)]
    output: Annotated[str, AfterValidator(_object_url)]
    message: dict[str, JsonValue] | None = None
    seconds: Annotated[int, Field(ge=1, le=900)] | None = None

    @field_validator("output")
    @classmethod
    def _is_another(cls, output: str, info: ValidationInfo) -> str:
        if output == info.data.get("input"):
            raise ValueError("is the input")
        return output

    @property
    def source(self) -> ObjectUrl:
        return _parsed(self.input)

    @property
    def target(self) -> ObjectUrl:
        return _parsed(self.output)


class FileProgress(TypedDict):
    """How far an invocation came; where ``done`` is false, the next one goes on with the same body.

    ``lines`` were read and gave ``delivered`` and ``failed``; that is ``read`` of the ``size``
    bytes of the input.
    """

    done: bool
    lines: int
    delivered: int
    failed: int
    read: int
    size: int


class FileReport(FileProgress):
    """The answer at the end, which is kept beside the output too (``….report.json``).

    ``failures`` are the first of those in the output. ``version`` is that of input and message.
    """

    version: str
    dry_run: bool
    failures: list[Failure | BadLine]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SegmentCounts]

"""What is asked for, and what is answered.

What is told of links and failures, put together from all parts, and bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, NotRequired, TypedDict

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
)

from waypost.client.results import MessageSummary, SummaryCollector
from waypost.repositories.objects import ObjectUrl
from waypost.rewrite.diagnostics import LinkEntry
from waypost.rewrite.renderer import MessageRenderer
from waypost.rewrite.schemas import DeliveryFailure
from waypost.rewrite.sms_segments import SmsSegmentCounts
from waypost.rewrite_files.input import InvalidLine

_S3_SCHEME: Final = "s3://"


def _parse_object_url(text: str) -> ObjectUrl:
    bucket, _, key = text.removeprefix(_S3_SCHEME).partition("/")
    if not text.startswith(_S3_SCHEME) or not bucket or not key:
        raise ValueError("is not s3://bucket/key")
    return ObjectUrl(bucket, key)


def _validate_object_url(text: str) -> str:
    return str(_parse_object_url(text))


class FileRequest(BaseModel):
    """Where the lines come from, and where they go. ``message``: for recipients on every line of
    the input. ``seconds``: how long one invocation works, unless it has to stop before.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    input: Annotated[str, AfterValidator(_validate_object_url)]
    output: Annotated[str, AfterValidator(_validate_object_url)]
    message: dict[str, JsonValue] | None = None
    seconds: Annotated[int, Field(ge=1, le=900)] | None = None

    @field_validator("output")
    @classmethod
    def _check_output_url(cls, output: str, info: ValidationInfo) -> str:
        if output == info.data.get("input"):
            raise ValueError("is the input")
        return output

    @property
    def source(self) -> ObjectUrl:
        return _parse_object_url(self.input)

    @property
    def target(self) -> ObjectUrl:
        return _parse_object_url(self.output)


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
    failures: list[DeliveryFailure | InvalidLine]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SmsSegmentCounts]


MAX_REPORT_LINK_BYTES: Final = 1024 * 1024
"""Bytes of the links that a report has; a note of progress carries them along."""
MAX_REPORT_FAILURES: Final = 100
"""Failures that a report has; the output has them all."""


class FileReportBuilder:
    """What was told so far."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """``noted``: what ``note`` gave before."""
        self.failures: list[DeliveryFailure | InvalidLine] = []
        self._summary = SummaryCollector(MAX_REPORT_LINK_BYTES)
        if saved:
            self.failures += saved["failures"]
            self._summary.add(saved["told"])
            self._summary.is_truncated = saved["left_off"]

    def add_part(
        self, renderer: MessageRenderer, failures: Iterable[DeliveryFailure | InvalidLine]
    ) -> None:
        """Note what one part tells: of its own recipients, so that it is the same whoever made
        the parts before.
        """
        told: MessageSummary = {
            "links": renderer.build_link_entries(),
            "warnings": renderer.build_warnings(),
        }
        if segments := renderer.get_segment_counts():
            told["segments"] = segments
        self._summary.add(told)
        self.failures = [*self.failures, *failures][:MAX_REPORT_FAILURES]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON, to go on with later."""
        return {
            "failures": self.failures,
            "told": self._summary.get_summary(),
            "left_off": self._summary.is_truncated,
        }

    def build_summary(self) -> MessageSummary:
        """Links, warnings and segments as they are answered."""
        told = self._summary.get_summary()
        if self._summary.is_truncated:
            many = f"there are more links than the {len(told['links']):,} that are listed"
            told["warnings"] = [*told["warnings"], many]
        return told

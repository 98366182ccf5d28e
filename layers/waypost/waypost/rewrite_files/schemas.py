"""Define the request, the progress and the report of a rewrite of files."""

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
from waypost.rewrite_files.workspace_folder import FILE_SUFFIXES, parse_file_url

MAX_REPORT_LINK_BYTES: Final = 1024 * 1024
"""Bytes of the links in a report; each checkpoint contains them too."""
MAX_REPORT_FAILURES: Final = 100
"""Failures in a report; the output contains all."""


def _validate_object_url(text: str) -> str:
    return str(parse_file_url(text))


class FileRequest(BaseModel):
    """A request to rewrite a file.

    With ``message``, each line of the input is a recipient. ``seconds`` limits how long one
    invocation works.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    input: Annotated[str, AfterValidator(_validate_object_url)]
    output: Annotated[str, AfterValidator(_validate_object_url)]
    message: dict[str, JsonValue] | None = None
    seconds: Annotated[int, Field(ge=1, le=900)] | None = None

    @field_validator("output")
    @classmethod
    def _check_output_url(cls, output: str, info: ValidationInfo) -> str:
        target = parse_file_url(output)
        for url in (target, *(target.with_suffix(suffix) for suffix in FILE_SUFFIXES)):
            if str(url) == info.data.get("input"):
                raise ValueError(f"{url} is the input; choose another name")
        return output

    @property
    def source(self) -> ObjectUrl:
        return parse_file_url(self.input)

    @property
    def target(self) -> ObjectUrl:
        return parse_file_url(self.output)


class FileProgress(TypedDict):
    """The state after an invocation; if it is not ``done``, invoke again with the same request.

    ``lines`` of the input were read, ``read`` of its ``size`` bytes.
    """

    done: bool
    lines: int
    delivered: int
    failed: int
    read: int
    size: int


class FileReport(FileProgress):
    """The final response, also stored beside the output (``….report.json``).

    ``failures`` are the first of the output. ``version`` identifies input and message.
    """

    version: str
    dry_run: bool
    failures: list[DeliveryFailure | InvalidLine]
    links: list[LinkEntry]
    warnings: list[str]
    segments: NotRequired[SmsSegmentCounts]


class FileReportBuilder:
    """Merges the links, warnings and failures of all parts."""

    def __init__(self, saved: Mapping[str, Any] | None = None) -> None:
        """Begin a report, or continue one from its ``to_dict``."""
        self.failures: list[DeliveryFailure | InvalidLine] = []
        self._summary = SummaryCollector(MAX_REPORT_LINK_BYTES)
        if saved:
            self.failures += saved["failures"]
            self._summary.add(saved["told"])
            self._summary.is_truncated = saved["left_off"]

    def add_part(
        self, renderer: MessageRenderer, failures: Iterable[DeliveryFailure | InvalidLine]
    ) -> None:
        """Add a part, whose renderer rendered no other part: a resumed report stays the same."""
        summary: MessageSummary = {
            "links": renderer.build_link_entries(),
            "warnings": renderer.build_warnings(),
        }
        if segments := renderer.get_segment_counts():
            summary["segments"] = segments
        self._summary.add(summary)
        self.failures = [*self.failures, *failures][:MAX_REPORT_FAILURES]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON for the checkpoint; its keys are stored, never rename them."""
        return {
            "failures": self.failures,
            "told": self._summary.get_summary(),
            "left_off": self._summary.is_truncated,
        }

    def build_summary(self) -> MessageSummary:
        """Build the links, warnings and segments of the response."""
        summary = self._summary.get_summary()
        if self._summary.is_truncated:
            warning = f"there are more links than the {len(summary['links']):,} that are listed"
            summary["warnings"] = [*summary["warnings"], warning]
        return summary

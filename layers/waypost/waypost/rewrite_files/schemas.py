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

from waypost.client.results import Collected, Told
from waypost.repositories.objects import ObjectUrl
from waypost.rewrite.diagnostics import LinkEntry
from waypost.rewrite.renderer import Mailing
from waypost.rewrite.schemas import Failure
from waypost.rewrite.sms_segments import SegmentCounts
from waypost.rewrite_files.input import BadLine

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


LINKS_ROOM: Final = 1024 * 1024
"""Bytes of the links that a report has; a note of progress carries them along."""
MOST_FAILURES: Final = 100
"""Failures that a report has; the output has them all."""


class Report:
    """What was told so far."""

    def __init__(self, noted: Mapping[str, Any] | None = None) -> None:
        """``noted``: what ``note`` gave before."""
        self.failures: list[Failure | BadLine] = []
        self._collected = Collected(LINKS_ROOM)
        if noted:
            self.failures += noted["failures"]
            self._collected.add(noted["told"])
            self._collected.left_off = noted["left_off"]

    def add(self, mailing: Mailing, failures: Iterable[Failure | BadLine]) -> None:
        """Note what one part tells: of its own recipients, so that it is the same whoever made
        the parts before.
        """
        told: Told = {"links": mailing.links(), "warnings": mailing.warnings()}
        if segments := mailing.segments():
            told["segments"] = segments
        self._collected.add(told)
        self.failures = [*self.failures, *failures][:MOST_FAILURES]

    def note(self) -> dict[str, Any]:
        """All of it as JSON, to go on with later."""
        return {
            "failures": self.failures,
            "told": self._collected.told(),
            "left_off": self._collected.left_off,
        }

    def told(self) -> Told:
        """Links, warnings and segments as they are answered."""
        told = self._collected.told()
        if self._collected.left_off:
            many = f"there are more links than the {len(told['links']):,} that are listed"
            told["warnings"] = [*told["warnings"], many]
        return told

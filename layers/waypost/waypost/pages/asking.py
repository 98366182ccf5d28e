"""What a request for a page asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from waypost.errors import InvalidRequest
from waypost.reports.schemas import Step
from waypost.validation import checked

Name = Annotated[str, Field(min_length=1, max_length=255)]


class Asked(BaseModel):
    """The query of a page's address. Keys that no page knows are ignored: mailers add some."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    workspace: Name
    campaign: Name | None = None
    link: Name | None = None
    person: Name | None = None
    by: Step | None = None
    zone: Annotated[str, Field(max_length=100)] = "UTC"
    cursor: Annotated[str, Field(max_length=2_000)] | None = None
    images: bool = False

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Read the query of a request. Raises InvalidRequest."""
        query = parse_qsl(str(event.get("rawQueryString", "")), keep_blank_values=False)
        return checked(cls, dict(query))

    @classmethod
    def whereabouts(cls, event: Mapping[str, Any]) -> Self:
        """Of a query, only whose page it asks for. Raises InvalidRequest."""
        query = dict(parse_qsl(str(event.get("rawQueryString", ""))))
        return checked(cls, {k: v for k, v in query.items() if k in ("workspace", "campaign")})

    def named(self, field: str) -> str:
        """A name that the page cannot do without. Raises InvalidRequest where it is missing."""
        value = getattr(self, field)
        if value is None:
            raise InvalidRequest.of(field, "is missing")
        return str(value)

"""How a request body becomes a typed value: once, where it enters, with every field and reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from waypost.errors import InvalidRequest, Problem

Model = TypeVar("Model", bound=BaseModel)

_REASONS = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "json_invalid": "is not JSON",
}


def _iso_date(value: object) -> object:
    """Only the one form of a date: pydantic reads numbers as seconds since 1970, too."""
    if isinstance(value, str) and (len(value) != 10 or value[4:8:3] != "--"):
        raise ValueError("is not a date such as 2026-11-21")
    return value


IsoDate = Annotated[date, BeforeValidator(_iso_date)]


def parsed(model: type[Model], body: str | bytes | None) -> Model:
    """Read JSON text into a model. Raises InvalidRequest naming each field and its reason."""
    try:
        return model.model_validate_json(body or b"")
    except ValidationError as e:
        raise _invalid(e) from None


def checked(model: type[Model], value: object) -> Model:
    """Check an already decoded value against a model. Raises InvalidRequest likewise."""
    try:
        return model.model_validate(value)
    except ValidationError as e:
        raise _invalid(e) from None


def _invalid(error: ValidationError) -> InvalidRequest:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return invalid([dict(e) for e in found])


def invalid(errors: Iterable[Mapping[str, Any]]) -> InvalidRequest:
    """An error of ours from pydantic's, each with its ``loc``, ``type`` and ``msg``."""
    return InvalidRequest(
        *(
            Problem(field_path(e["loc"]), _REASONS.get(e["type"]) or _clause(e["msg"]))
            for e in errors
        )
    )


def field_path(location: Sequence[int | str]) -> str:
    """A path as the caller wrote it: ``("recipients", 3, "data")`` is ``recipients[3].data``."""
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path or "body"


def _clause(message: str) -> str:
    text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]

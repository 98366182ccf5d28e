"""How a request body becomes a typed value: once, where it enters, with every field and reason.

- ``reasons``  what may be wrong with a field, in our words
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from waypost.errors import InvalidRequest, Problem
from waypost.validation.reasons import reason

Model = TypeVar("Model", bound=BaseModel)

MOST_PROBLEMS: Final = 100
"""Problems that one answer names."""
_LONGEST_NAME: Final = 100


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
    found = error.errors(include_url=False, include_input=False)
    return invalid([dict(e) for e in found])


def invalid(errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """An error of ours from pydantic's, each with its ``loc``, ``type``, ``msg`` and ``ctx``."""
    return InvalidRequest(*named(map(_problem, errors)))


def named(problems: Iterable[Problem]) -> list[Problem]:
    """As many problems as an answer names, and how many there are besides."""
    every = list(problems)
    left = len(every) - MOST_PROBLEMS
    more = [Problem("body", f"has {left:,} more problems")] if left > 0 else []
    return every[:MOST_PROBLEMS] + more


def field_path(location: Sequence[int | str]) -> str:
    """A path as the caller wrote it: ``("recipients", 3, "data")`` is ``recipients[3].data``.

    Names are cut short: one that is not known may be anything.
    """
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{_short(step)}"
    return path.removeprefix(".") or "body"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def _problem(error: Mapping[str, Any]) -> Problem:
    location: Sequence[int | str] = error["loc"]
    told = reason(error["type"], error.get("ctx") or {}, error["msg"])
    if location and location[-1] == "[key]":  # the name itself is wrong, not what it has
        return Problem(field_path(location[:-2]), f"has a name that {told}")
    return Problem(field_path(location), told)

"""Validate a request body once, at the boundary, and report every invalid field with a reason.

Reasons replace pydantic's messages, which are for programmers, change with its versions, and may
repeat the input. They are keyed by pydantic's error types; placeholders in braces are values of the
field's definition, never of the input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from waypost.errors import InvalidRequest, Problem

DEFAULT_REASON: Final = "is not valid"

_OBJECT: Final = "is not an object"
_LIST: Final = "is not a list"
_NUMBER: Final = "is not a number"
_WHOLE: Final = "is not a whole number"
_BOOLEAN: Final = "is neither true nor false"
_DATE: Final = "is not a date such as 2026-11-21"
_JSON: Final = "is not JSON"
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")

ERROR_REASONS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "none_required": "is not null",
    "json_invalid": _JSON,
    "json_type": _JSON,
    "invalid-json-value": _JSON,
    "recursion_loop": "nests without an end",
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "invalid_key": "has a name that is not a string",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "iterable_type": _LIST,
    "too_short": "has fewer than {min_length} items",
    "too_long": "has more than {max_length} items",
    "string_type": "is not a string",
    "string_sub_type": "is not a string",
    "string_unicode": "is not UTF-8",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
    "string_pattern_mismatch": "does not match {pattern}",
    "string_not_ascii": "holds more than ASCII",
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "is too large a number",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "is not {expected}",
    "enum": "is not {expected}",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
}


_LENGTH_ERRORS: Final = ("too_short", "too_long", "string_too_short")


def describe_error(error_type: str, context: Mapping[str, Any], message: str) -> str:
    """Return the reason of an error. ``message`` is that of Waypost's own validators."""
    if error_type == "value_error":
        return message.removeprefix("Value error, ")
    if error_type in _LENGTH_ERRORS and context.get("min_length") == 1:
        return "is empty"
    if (
        error_type in _LENGTH_ERRORS and context.get("field_type") == "Value"
    ):  # a string that was converted
        error_type = f"string_{error_type}"
    try:
        return ERROR_REASONS[error_type].format_map(
            {name: _format_value(each) for name, each in context.items()}
        )
    except KeyError:
        return DEFAULT_REASON


def _format_value(value: object) -> str:
    """Format numbers with separators, and choices without quotes: a, b or c."""
    return f"{value:,}" if isinstance(value, int) else str(value).replace("'", "")


Model = TypeVar("Model", bound=BaseModel)

MAX_PROBLEMS: Final = 100
"""Problems in one response."""
_MAX_NAME_LENGTH: Final = 100


def _validate_iso_date(value: object) -> object:
    """Accept only YYYY-MM-DD: pydantic also reads numbers as seconds since 1970."""
    if isinstance(value, str) and (len(value) != 10 or value[4:8:3] != "--"):
        raise ValueError("is not a date such as 2026-11-21")
    return value


IsoDate = Annotated[date, BeforeValidator(_validate_iso_date)]


def parse_json(model: type[Model], body: str | bytes | None) -> Model:
    r"""Parse JSON text into a model. Raises InvalidRequest with each field and reason.

    pydantic's parser refuses the whole text for half of a surrogate pair (``"\ud83d"``), which
    JSON allows. Then the text is decoded first, so that only the field that has it is refused.
    """
    try:
        return model.model_validate_json(body or b"")
    except ValidationError as e:
        is_json = e.errors(include_url=False)[0]["type"] != "json_invalid"
        try:
            value = None if is_json or not body else _decode_surrogates(body)
        except (ValueError, RecursionError):
            value = None
        if value is None:
            raise _convert_validation_error(e) from None
    return validate_value(model, value)


def _decode_surrogates(body: str | bytes) -> object:
    """Decode JSON that escapes surrogates. Raises ValueError for any other."""
    text = body if isinstance(body, str) else body.decode()
    if not _SURROGATE_ESCAPE.search(text):
        raise ValueError("JSON: has no surrogates")
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"JSON: has no such constant ({name})")


def validate_value(model: type[Model], value: object) -> Model:
    """Validate a decoded value against a model. Raises InvalidRequest as ``parse_json`` does."""
    try:
        return model.model_validate(value)
    except ValidationError as e:
        raise _convert_validation_error(e) from None


def _convert_validation_error(error: ValidationError) -> InvalidRequest:
    errors = error.errors(include_url=False)
    return build_invalid_request([dict(each) for each in errors])


def build_invalid_request(pydantic_errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """Convert pydantic's errors, with ``loc``, ``type``, ``msg`` and ``ctx``, to InvalidRequest."""
    return InvalidRequest(*limit_problems(map(_build_problem, pydantic_errors)))


def limit_problems(problems: Iterable[Problem]) -> list[Problem]:
    """Return the first ``MAX_PROBLEMS`` problems, and one with the number of further ones."""
    all_problems = list(problems)
    excess = len(all_problems) - MAX_PROBLEMS
    further = [Problem("body", f"has {excess:,} more problems")] if excess > 0 else []
    return all_problems[:MAX_PROBLEMS] + further


def field_path(location: Sequence[int | str]) -> str:
    """Format a path as the caller wrote it: ``("recipients", 3, "data")`` is
    ``recipients[3].data``. Names are truncated, since an unknown one may be any text.
    """
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{_truncate_name(step)}"
    return path.removeprefix(".") or "body"


def _truncate_name(name: str) -> str:
    return name if len(name) <= _MAX_NAME_LENGTH else name[:_MAX_NAME_LENGTH] + "…"


def _get_excessive_size(error: Mapping[str, Any]) -> int | None:
    """Return the number of characters or items that exceeds a limit, if it is known."""
    value = error.get("input")
    if error["type"] == "string_too_long" and isinstance(value, str):
        return len(value)
    size = (error.get("ctx") or {}).get("actual_length")
    return size if error["type"] == "too_long" and isinstance(size, int) else None


def _build_problem(error: Mapping[str, Any]) -> Problem:
    location: Sequence[int | str] = error["loc"]
    reason = describe_error(error["type"], error.get("ctx") or {}, error["msg"])
    if (size := _get_excessive_size(error)) is not None:
        reason += f" ({size:,})"
    if location and location[-1] == "[key]":  # the name is invalid, not its value
        return Problem(field_path(location[:-2]), f"has a name that {reason}")
    return Problem(field_path(location), reason)

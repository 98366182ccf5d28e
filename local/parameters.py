"""The values of a template's parameters, held against what the template allows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from local.errors import TemplateError
from local.template import Properties, Template, Value


def resolve_parameters(template: Template, overrides: Mapping[str, str]) -> dict[str, Value]:
    """Given values, else defaults. Raises TemplateError for what CloudFormation would refuse."""
    for name in overrides:
        if name not in template.parameters:
            raise TemplateError(f"Parameters.{name}", "is not a parameter of the template")
    return {
        name: _resolve_parameter(f"Parameters.{name}", body, overrides.get(name))
        for name, body in template.parameters.items()
    }


def _resolve_parameter(where: str, body: Properties, override: str | None) -> Value:
    value = body.get("Default") if override is None else override
    if value is None:
        raise TemplateError(where, "has no default and was not given")
    text = format_scalar(value)
    _check_constraints(where, body, text)
    kind = str(body.get("Type"))
    return list(text.split(",")) if kind.startswith(("Comma", "List<")) else text


def _check_constraints(where: str, body: Properties, text: str) -> None:
    allowed, pattern = body.get("AllowedValues"), body.get("AllowedPattern")
    if isinstance(allowed, list) and text not in map(format_scalar, allowed):
        raise TemplateError(
            where, f"{text!r} is not one of {', '.join(map(format_scalar, allowed))}"
        )
    if isinstance(pattern, str) and not re.fullmatch(pattern, text):
        raise TemplateError(where, f"{text!r} does not match {pattern}")
    if body.get("Type") == "Number":
        _check_number(where, body, text)


def _check_number(where: str, body: Properties, text: str) -> None:
    try:
        number = float(text)
    except ValueError as error:
        raise TemplateError(where, f"{text!r} is no number") from error
    least, most = (float(str(body.get(f"{end}Value", number))) for end in ("Min", "Max"))
    if not least <= number <= most:
        raise TemplateError(where, f"{text} is not from {least:g} to {most:g}")


def format_scalar(value: Value) -> str:
    """A scalar as CloudFormation writes it: booleans are ``true`` and ``false``."""
    return str(value).lower() if isinstance(value, bool) else str(value)

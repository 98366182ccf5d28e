"""Resolve parameters, conditions and intrinsic functions of a template as CloudFormation does.

Supported are the functions that template.yaml uses: ``Ref``, ``Fn::GetAtt``, ``Fn::Sub`` with a
text, and ``Fn::If``; in conditions ``Fn::Equals``, ``Fn::Not`` and ``Fn::And``. Any other function,
and any value that cannot be resolved, raises TemplateError with its place in the template:
otherwise the error would appear on AWS only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from local.account import ACCOUNT_ID, REGION
from local.errors import TemplateError
from local.template import Properties, Template, Value, as_list, as_mapping

_PARAMETER_TYPES: Final = ("String", "Number")
_SUB_VARIABLE: Final = re.compile(r"\$\{(!?)([^${}]+)\}")


class ResourceLookup(Protocol):
    """Names and attributes of resources; both methods raise TemplateError for unknown ones."""

    def ref(self, logical_id: str) -> str: ...
    def attribute(self, logical_id: str, name: str) -> str: ...


class _NoValue:
    """AWS::NoValue, until the property that has it is dropped."""


_NO_VALUE: Final = _NoValue()


class IntrinsicResolver:
    """The values of one template under given parameters."""

    def __init__(
        self,
        template: Template,
        stack: str,
        parameter_values: Mapping[str, str],
        resources: ResourceLookup,
    ) -> None:
        """Raise TemplateError for parameters that CloudFormation would refuse."""
        self._template = template
        self._resources = resources
        self._parameters = resolve_parameters(template, parameter_values)
        self._pseudo = {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
        }
        self._functions: dict[str, Callable[[Value, str], Value | _NoValue]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::If": self._if,
        }

    def resolve_value(self, value: Value, where: str) -> Value:
        """Resolve every intrinsic function in a value; ``where`` is its place, for errors."""
        resolved = self._resolve(value, where)
        return None if isinstance(resolved, _NoValue) else resolved

    def resolve_text(self, value: Value, where: str) -> str:
        """Resolve a value that must be one scalar; booleans become ``true`` and ``false``."""
        resolved = self.resolve_value(value, where)
        if isinstance(resolved, str | int | float):
            return format_scalar(resolved)
        raise TemplateError(where, f"not a text ({resolved!r})")

    def resolve_properties(self, value: Value, where: str) -> Properties:
        """Resolve a value that must be a mapping; None becomes an empty one."""
        return as_mapping(self.resolve_value(value, where), where)

    def is_condition_true(self, name: str | None) -> bool:
        """Evaluate a named condition; without a name return True."""
        if name is None:
            return True
        where = f"Conditions.{name}"
        if name not in self._template.conditions:
            raise TemplateError(where, "not defined")
        return self._evaluate(self._template.conditions[name], where)

    def _evaluate(self, condition: Value, where: str) -> bool:
        if not isinstance(condition, dict) or len(condition) != 1:
            raise TemplateError(where, "not a condition")
        ((name, argument),) = condition.items()
        arguments = as_list(argument, where) if name.startswith("Fn::") else []
        match name:
            case "Fn::Equals":
                first, second = (self.resolve_text(each, where) for each in arguments)
                return first == second
            case "Fn::And":
                return all(self._evaluate(each, where) for each in arguments)
            case "Fn::Not":
                return not self._evaluate(arguments[0], where)
        raise TemplateError(where, f"{name} is not emulated")

    def _resolve(self, value: Value, where: str) -> Value | _NoValue:
        if isinstance(value, list):
            items = [self._resolve(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return [item for item in items if not isinstance(item, _NoValue)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name in self._functions:
                return self._functions[name](argument, where)
            if name.startswith("Fn::"):
                raise TemplateError(where, f"{name} is not emulated")
        resolved = {key: self._resolve(item, f"{where}.{key}") for key, item in value.items()}
        return {key: item for key, item in resolved.items() if not isinstance(item, _NoValue)}

    def _resolve_name(self, name: str, where: str) -> Value:
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        if name in self._template.resources:
            return self._resources.ref(name)
        raise TemplateError(where, f"refers to {name}, which is neither parameter nor resource")

    def _ref(self, argument: Value, where: str) -> Value | _NoValue:
        if argument == "AWS::NoValue":
            return _NO_VALUE
        return self._resolve_name(str(argument), where)

    def _get_att(self, argument: Value, where: str) -> Value:
        logical_id, _, name = ".".join(map(str, as_list(argument, where))).partition(".")
        return self._get_attribute(logical_id, name, where)

    def _get_attribute(self, logical_id: str, name: str, where: str) -> str:
        if logical_id not in self._template.resources:
            raise TemplateError(where, f"refers to {logical_id}, which is no resource")
        return self._resources.attribute(logical_id, name)

    def _sub(self, argument: Value, where: str) -> str:
        if not isinstance(argument, str):
            raise TemplateError(where, "Fn::Sub with a list is not emulated")

        def replace(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return "${" + match[2] + "}"
            logical_id, dot, attribute = name.partition(".")
            if dot:
                return self._get_attribute(logical_id, attribute, where)
            return self.resolve_text(self._resolve_name(name, where), where)

        return _SUB_VARIABLE.sub(replace, argument)

    def _if(self, argument: Value, where: str) -> Value | _NoValue:
        if not isinstance(argument, list) or len(argument) != 3:
            raise TemplateError(where, "Fn::If needs a condition and two values")
        name, yes, no = argument
        return self._resolve(yes if self.is_condition_true(str(name)) else no, where)


def resolve_parameters(template: Template, overrides: Mapping[str, str]) -> dict[str, Value]:
    """Return every parameter's value: the override, otherwise the default.

    Raises TemplateError for a value that CloudFormation would refuse.
    """
    for name in overrides:
        if name not in template.parameters:
            raise TemplateError(f"Parameters.{name}", "not a parameter of the template")
    return {
        name: _resolve_parameter(f"Parameters.{name}", body, overrides.get(name))
        for name, body in template.parameters.items()
    }


def _resolve_parameter(where: str, body: Properties, override: str | None) -> Value:
    if body.get("Type") not in _PARAMETER_TYPES:
        raise TemplateError(where, f"parameters of type {body.get('Type')} are not emulated")
    value = body.get("Default") if override is None else override
    if value is None:
        raise TemplateError(where, "no value and no default")
    text = format_scalar(value)
    _check_constraints(where, body, text)
    return text


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
        raise TemplateError(where, f"{text!r} is not a number") from error
    minimum, maximum = (float(str(body.get(f"{end}Value", number))) for end in ("Min", "Max"))
    if not minimum <= number <= maximum:
        raise TemplateError(where, f"{text} is not from {minimum:g} to {maximum:g}")


def format_scalar(value: Value) -> str:
    """Format a scalar as CloudFormation does: booleans are ``true`` and ``false``."""
    return str(value).lower() if isinstance(value, bool) else str(value)

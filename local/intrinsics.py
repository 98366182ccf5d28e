"""What CloudFormation's intrinsic functions stand for in a template.

A value that cannot be told raises TemplateError with its place: silence here would be a fault found
on AWS only.

Which conditions of a template hold.

The values of a template's parameters, held against what the template allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from local.account import ACCOUNT_ID, REGION
from local.errors import TemplateError
from local.template import Properties, Template, Value, as_list, as_mapping


class ConditionEvaluator:
    """The conditions of one template, by name; ``text`` resolves what they compare."""

    def __init__(
        self, conditions: Mapping[str, Value], resolve_text: Callable[[Value, str], str]
    ) -> None:
        self._conditions = conditions
        self._resolve_text = resolve_text

    def is_true(self, condition: str | None) -> bool:
        """Whether a named condition is true; no condition always holds. Raises TemplateError."""
        if condition is None:
            return True
        if condition not in self._conditions:
            raise TemplateError(f"Conditions.{condition}", "is not defined")
        return self._evaluate(self._conditions[condition], f"Conditions.{condition}")

    def _evaluate(self, condition: Value, where: str) -> bool:
        if not isinstance(condition, dict) or len(condition) != 1:
            raise TemplateError(where, "is not a condition")
        ((name, argument),) = condition.items()
        if name == "Condition":
            return self.is_true(str(argument))
        if not isinstance(argument, list):
            raise TemplateError(where, f"{name} takes a list")
        match name:
            case "Fn::Equals":
                return self._resolve_text(argument[0], where) == self._resolve_text(
                    argument[1], where
                )
            case "Fn::And":
                return all(self._evaluate(item, where) for item in argument)
            case "Fn::Or":
                return any(self._evaluate(item, where) for item in argument)
            case "Fn::Not":
                return not self._evaluate(argument[0], where)
        raise TemplateError(where, f"{name} is not emulated")


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


_SUB_VARIABLE = re.compile(r"\$\{(!?)([^}]+)\}")


class _NoValue:
    """Stands for AWS::NoValue until the property that has it is dropped."""


_NO_VALUE: Final = _NoValue()


class ResourceLookup(Protocol):
    """What the rest of the stack knows about resources; both raise TemplateError if they cannot
    tell.
    """

    def ref(self, logical_id: str) -> str: ...
    def attribute(self, logical_id: str, name: str) -> str: ...


class IntrinsicResolver:
    """Resolves values of one template under given parameters.

    Raises TemplateError on an unknown parameter, one without a value, or one outside its
    AllowedValues or pattern.
    """

    def __init__(
        self,
        template: Template,
        stack: str,
        parameter_values: Mapping[str, str],
        resources: ResourceLookup,
    ) -> None:
        self._template = template
        self._resources = resources
        self._parameters = resolve_parameters(template, parameter_values)
        self._conditions = ConditionEvaluator(template.conditions, self.resolve_text)
        self._pseudo = {
            "AWS::AccountId": ACCOUNT_ID,
            "AWS::Region": REGION,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT_ID}:stack/{stack}/local",
        }
        self._functions: dict[str, Callable[[Value, str], Value | _NoValue]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Split": self._split,
            "Fn::Select": self._select,
            "Fn::If": self._if,
            "Fn::FindInMap": self._find_in_map,
        }

    def is_condition_true(self, condition: str | None) -> bool:
        """Whether a named condition is true; no condition always holds."""
        return self._conditions.is_true(condition)

    def resolve_value(self, value: Value, where: str) -> Value:
        """The value with every intrinsic function resolved; ``where`` is its place, for errors."""
        resolved = self._resolve(value, where)
        return None if isinstance(resolved, _NoValue) else resolved

    def resolve_text(self, value: Value, where: str) -> str:
        """Like ``value``, for what must be one scalar. Booleans become CloudFormation's ``true``
        and ``false``.
        """
        resolved = self.resolve_value(value, where)
        if isinstance(resolved, str | int | float):
            return format_scalar(resolved)
        raise TemplateError(where, f"is {resolved!r}, not a text")

    def resolve_properties(self, value: Value, where: str) -> Properties:
        """Like ``value``, for what must be a mapping; nothing counts as an empty one."""
        return as_mapping(self.resolve_value(value, where), where)

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

    def _resolve_list(self, value: Value, where: str) -> list[Value]:
        return as_list(self.resolve_value(value, where), where)

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
        path = [argument] if isinstance(argument, str) else self._resolve_list(argument, where)
        logical_id, _, name = ".".join(map(str, path)).partition(".")
        if logical_id not in self._template.resources:
            raise TemplateError(where, f"refers to {logical_id}, which is no resource")
        return self._resources.attribute(logical_id, name)

    def _sub(self, argument: Value, where: str) -> str:
        text, local = argument, Properties()
        if isinstance(argument, list):
            text, local = argument[0], self.resolve_properties(argument[1], where)
        if not isinstance(text, str):
            raise TemplateError(where, "Fn::Sub needs a text")

        def replace(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return "${" + match[2] + "}"
            if name in local:
                return self.resolve_text(local[name], where)
            if "." in name and name.partition(".")[0] in self._template.resources:
                return self.resolve_text(self._get_att(name, where), where)
            return self.resolve_text(self._resolve_name(name, where), where)

        return _SUB_VARIABLE.sub(replace, text)

    def _join(self, argument: Value, where: str) -> str:
        separator, items = self._resolve_list(argument, where)
        return str(separator).join(
            self.resolve_text(item, where) for item in self._resolve_list(items, where)
        )

    def _split(self, argument: Value, where: str) -> list[Value]:
        separator, text = self._resolve_list(argument, where)
        return list(str(text).split(str(separator)))

    def _select(self, argument: Value, where: str) -> Value:
        index, items = self._resolve_list(argument, where)
        try:
            return self._resolve_list(items, where)[int(str(index))]
        except (IndexError, ValueError) as error:
            raise TemplateError(where, f"Fn::Select has no item {index!r}") from error

    def _if(self, argument: Value, where: str) -> Value | _NoValue:
        if not isinstance(argument, list) or len(argument) != 3:
            raise TemplateError(where, "Fn::If takes a condition and two values")
        name, yes, no = argument
        return self._resolve(yes if self.is_condition_true(str(name)) else no, where)

    def _find_in_map(self, argument: Value, where: str) -> Value:
        found: Value = self._template.mappings
        for key in self._resolve_list(argument, where):
            if not isinstance(found, dict) or str(key) not in found:
                raise TemplateError(where, f"Fn::FindInMap finds no {key!r}")
            found = found[str(key)]
        return found

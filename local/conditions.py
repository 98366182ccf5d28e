"""Which conditions of a template hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from local.errors import TemplateError
from local.template import Value


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

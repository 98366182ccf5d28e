"""Event source mapping of a DynamoDB stream: its properties, its filter, and its records.

A filter pattern lists allowed values by key (``{"eventName": ["INSERT"]}``), as described in
"Control which events Lambda sends to your function" in the AWS Lambda developer guide. Comparison
operators such as ``prefix`` or ``numeric``, and ``$or``, are refused: template.yaml uses none.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias

from local.account import REGION
from local.errors import TemplateError
from local.functions import Trigger
from local.poller import Record, get_number, has_partial_responses
from local.template import Properties, as_list, as_mapping

_STREAM_PROPERTIES: Final = frozenset(
    {
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "FilterCriteria",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
        "StartingPosition",
        "Stream",
    }
)
FilterPattern: TypeAlias = Mapping[str, Any]  # by key: a pattern, or the list of allowed values


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """Properties of a DynamoDB event; ``max_retries`` and ``max_age_seconds`` None: unlimited."""

    name: str
    stream_arn: str
    starting_position: str
    batch_size: int
    batching_seconds: float
    max_retries: int | None
    max_age_seconds: float | None
    bisects_batches: bool
    partial_responses: bool
    parallelization_factor: int
    patterns: tuple[FilterPattern, ...]
    destination_arn: str | None

    @classmethod
    def from_trigger(cls, trigger: Trigger) -> Self:
        """Read the properties of a trigger. Raises TemplateError for unsupported ones."""
        trigger.reject_unknown_properties(_STREAM_PROPERTIES)
        properties = trigger.properties
        retries = get_number(properties, "MaximumRetryAttempts", -1)
        age = get_number(properties, "MaximumRecordAgeInSeconds", -1)
        criteria = as_mapping(properties.get("FilterCriteria"), trigger.where)
        return cls(
            name=trigger.name,
            stream_arn=str(properties["Stream"]),
            starting_position=_parse_starting_position(trigger),
            batch_size=get_number(properties, "BatchSize", 100),
            batching_seconds=get_number(properties, "MaximumBatchingWindowInSeconds", 0),
            max_retries=None if retries < 0 else retries,
            max_age_seconds=None if age < 0 else age,
            bisects_batches=properties.get("BisectBatchOnFunctionError") is True,
            partial_responses=has_partial_responses(properties),
            parallelization_factor=get_number(properties, "ParallelizationFactor", 1),
            patterns=parse_filter_criteria(criteria, trigger.where),
            destination_arn=_parse_destination(properties),
        )


def _parse_starting_position(trigger: Trigger) -> str:
    position = str(trigger.properties.get("StartingPosition"))
    if position not in ("TRIM_HORIZON", "LATEST"):
        raise TemplateError(trigger.where, f"StartingPosition {position} is not emulated")
    return position


def _parse_destination(properties: Properties) -> str | None:
    config = properties.get("DestinationConfig")
    failure = config.get("OnFailure") if isinstance(config, dict) else None
    return str(failure["Destination"]) if isinstance(failure, dict) else None


def parse_filter_criteria(criteria: Properties, where: str) -> tuple[FilterPattern, ...]:
    """Return the patterns of a FilterCriteria property. Raises TemplateError for operators."""
    return tuple(
        _parse_pattern(as_mapping(item, where).get("Pattern"), where)
        for item in as_list(criteria.get("Filters"), f"{where}.Filters")
    )


def _parse_pattern(text: object, where: str) -> FilterPattern:
    try:
        pattern = json.loads(str(text))
    except ValueError as error:
        raise TemplateError(where, f"filter pattern is not JSON ({text!r})") from error
    _check_pattern(pattern, where)
    checked: FilterPattern = pattern
    return checked


def _check_pattern(pattern: object, where: str) -> None:
    if not isinstance(pattern, dict):
        raise TemplateError(where, f"filter pattern is not an object ({pattern!r})")
    for key, rule in pattern.items():
        if key.startswith("$"):
            raise TemplateError(where, f"filter operator {key} is not emulated")
        if not isinstance(rule, list):
            _check_pattern(rule, where)
            continue
        for value in rule:
            if isinstance(value, dict):
                raise TemplateError(where, f"filter operator {', '.join(value)} is not emulated")


def matches_any(patterns: Sequence[FilterPattern], record: Record) -> bool:
    """Return True if a pattern matches the record, or if there are no patterns."""
    return not patterns or any(_matches(pattern, record) for pattern in patterns)


def _matches(rule: FilterPattern | Sequence[object], value: object) -> bool:
    if isinstance(rule, Mapping):
        return isinstance(value, Mapping) and all(
            key in value and _matches(rule[key], value[key]) for key in rule
        )
    values = value if isinstance(value, list) else [value]
    return any(
        type(each) is type(allowed) and each == allowed for each in values for allowed in rule
    )


def build_stream_record(raw_record: Mapping[str, Any], stream_arn: str) -> Record:
    """Build the record that Lambda passes to a function from one of GetRecords."""
    created = raw_record["dynamodb"]["ApproximateCreationDateTime"]
    change = raw_record["dynamodb"] | {"ApproximateCreationDateTime": created.timestamp()}
    return {
        **to_json_value({**raw_record, "dynamodb": change}),
        "awsRegion": REGION,
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stream_arn,
    }


def get_sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def to_json_value(value: Any) -> Any:  # noqa: ANN401  JSON of any shape
    """Encode binary values as base64, as the service's own JSON does."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json_value(item) for item in value]
    return value

"""What the template says about delivering a stream to a function, and the records delivered."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from local.account import REGION
from local.errors import TemplateError
from local.filter_patterns import FilterPattern, parse_filter_criteria
from local.functions import Trigger
from local.poller import Record, get_number, has_partial_responses, reject_unknown_properties
from local.template import Properties, as_mapping

_STREAM_PROPERTIES: Final = frozenset(
    {
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
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


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """The properties of a DynamoDB event. ``retries`` and ``max_age`` (seconds) are None where they
    are endless.
    """

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
        reject_unknown_properties(trigger, _STREAM_PROPERTIES)
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


def _parse_starting_position(event: Trigger) -> str:
    position = str(event.properties.get("StartingPosition"))
    if position not in ("TRIM_HORIZON", "LATEST"):
        raise TemplateError(event.where, f"StartingPosition is {position}")
    return position


def _parse_destination(properties: Properties) -> str | None:
    config = properties.get("DestinationConfig")
    failure = config.get("OnFailure") if isinstance(config, dict) else None
    return str(failure["Destination"]) if isinstance(failure, dict) else None


def build_stream_record(raw_record: Mapping[str, Any], stream_arn: str) -> Record:
    """A record of GetRecords as Lambda hands it to a function."""
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
    """The value with binary as base64, as the service's own JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: to_json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_json_value(item) for item in value]
    return value

"""What the template says about delivering a stream to a function, and the records delivered."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from local.account import REGION
from local.errors import TemplateError
from local.functions import Event
from local.patterns import Pattern, filters
from local.sources import Record, number, refuse_unknown, reports_partial_failures
from local.template import Properties, mapping

_KNOWN: Final = frozenset(
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
    stream: str
    starting_position: str
    batch_size: int
    window: float
    retries: int | None
    max_age: float | None
    bisect: bool
    partial: bool
    lanes: int
    patterns: tuple[Pattern, ...]
    destination: str | None

    @classmethod
    def of(cls, event: Event) -> Self:
        refuse_unknown(event, _KNOWN)
        properties = event.properties
        retries = number(properties, "MaximumRetryAttempts", -1)
        age = number(properties, "MaximumRecordAgeInSeconds", -1)
        criteria = mapping(properties.get("FilterCriteria"), event.where)
        return cls(
            name=event.name,
            stream=str(properties["Stream"]),
            starting_position=_starting_position(event),
            batch_size=number(properties, "BatchSize", 100),
            window=number(properties, "MaximumBatchingWindowInSeconds", 0),
            retries=None if retries < 0 else retries,
            max_age=None if age < 0 else age,
            bisect=properties.get("BisectBatchOnFunctionError") is True,
            partial=reports_partial_failures(properties),
            lanes=number(properties, "ParallelizationFactor", 1),
            patterns=filters(criteria, event.where),
            destination=_destination(properties),
        )


def _starting_position(event: Event) -> str:
    position = str(event.properties.get("StartingPosition"))
    if position not in ("TRIM_HORIZON", "LATEST"):
        raise TemplateError(event.where, f"StartingPosition is {position}")
    return position


def _destination(properties: Properties) -> str | None:
    config = properties.get("DestinationConfig")
    failure = config.get("OnFailure") if isinstance(config, dict) else None
    return str(failure["Destination"]) if isinstance(failure, dict) else None


def record(raw: Mapping[str, Any], stream: str) -> Record:
    """A record of GetRecords as Lambda hands it to a function."""
    created = raw["dynamodb"]["ApproximateCreationDateTime"]
    change = raw["dynamodb"] | {"ApproximateCreationDateTime": created.timestamp()}
    return {
        **jsonable({**raw, "dynamodb": change}),
        "awsRegion": REGION,
        "eventSource": "aws:dynamodb",
        "eventSourceARN": stream,
    }


def sequence_number(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def jsonable(value: Any) -> Any:  # noqa: ANN401  JSON of any shape
    """The value with binary as base64, as the service's own JSON has it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    return value

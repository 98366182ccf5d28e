"""Patch of moto: serialize items in one step.

A DynamoDB value has one member of ten ({"S": …}, {"N": …}); moto looks for each of the ten, under
several names, in every value of a response.

Measured with 1,000 items of 34 values, processor time of moto's process per GetItem: 4.9 ms with
the patch, 10.5 ms without. Measure it with ``MotoCloud(file).client("dynamodb")``, with and without
the call of ``install_speedups`` in ``moto_server``: ``utime + stime`` in /proc/PID/stat over 1,000
calls. PutItem, whose response is empty, takes about 5 ms in both cases.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any, Final

from moto.core.serialize import BaseJSONSerializer

_VALUE_SHAPE: Final = "AttributeValue"  # of botocore's service models of DynamoDB and its streams
_PLAIN_TYPES: Final = (str, bool, int, float, type(None))


def install_speedups(set_attribute: Callable[[Any, str, object], None] = setattr) -> None:
    """Patch moto in this process; with pytest's ``monkeypatch.setattr`` for one test."""
    serialize = BaseJSONSerializer._serialize_type_structure  # noqa: SLF001  no public interface

    def structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:  # noqa: ANN401
        if key and shape.name == _VALUE_SHAPE and type(value) is dict:
            try:
                serialized[serializer.get_serialized_name(shape, key)] = _to_json(value)
                return
            except TypeError:  # not only JSON values: leave it to moto
                pass
        serialize(serializer, serialized, value, shape, key)

    set_attribute(BaseJSONSerializer, "_serialize_type_structure", structure)


def _to_json(value: Any) -> Any:  # noqa: ANN401  JSON, of any shape
    """Convert a value to JSON. Raises TypeError for types that DynamoDB does not have."""
    value_type = type(value)
    if value_type in _PLAIN_TYPES:
        return value
    if value_type is dict and not (len(value) == 1 and type(value.get("B")) is str):
        return {name: _to_json(part) for name, part in value.items()}
    if value_type is list:
        return [_to_json(part) for part in value]
    if value_type is bytes:
        return b64encode(value).decode()
    raise TypeError(value_type.__name__)

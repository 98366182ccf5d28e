"""Makes moto quicker where it does the same again for each request.

A value of DynamoDB is one member of ten ({"S": …}, {"N": …}), and lists and maps of values are full
of them; moto looks for each member of each, under several names, which takes a third of all its
time. It lists what the class of a service has for methods, to know whether an action is one of
them, and draws 52 letters as each request's name.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, Final

from moto.core import responses
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import method_names_from_class

_VALUE_SHAPE: Final = "AttributeValue"  # of botocore's service models of DynamoDB and its streams
_PLAIN_TYPES: Final = (str, bool, int, float, type(None))


def install_speedups(set_attribute: Callable[[Any, str, object], None] = setattr) -> None:
    """Changes moto, for this process; or, with pytest's ``monkeypatch``, for a while."""
    usual = BaseJSONSerializer._serialize_type_structure  # noqa: SLF001  nothing public is there

    def structure(serializer: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:  # noqa: ANN401
        if key and shape.name == _VALUE_SHAPE and type(value) is dict:
            try:
                serialized[serializer.get_serialized_name(shape, key)] = _to_json(value)
                return
            except TypeError:  # something else is in it: moto knows what to do
                pass
        usual(serializer, serialized, value, shape, key)

    set_attribute(BaseJSONSerializer, "_serialize_type_structure", structure)
    set_attribute(responses, "method_names_from_class", cache(method_names_from_class))
    set_attribute(responses, "gen_amzn_requestid_long", _next_request_id)


def _to_json(value: Any) -> Any:  # noqa: ANN401  JSON, of any shape
    """The value in JSON. Raises TypeError for what is none of DynamoDB's own."""
    kind = type(value)
    if kind in _PLAIN_TYPES:
        return value
    if kind is dict and not (len(value) == 1 and type(value.get("B")) is str):
        return {name: _to_json(part) for name, part in value.items()}
    if kind is list:
        return [_to_json(part) for part in value]
    if kind is bytes:
        return b64encode(value).decode()
    raise TypeError(kind.__name__)


_NUMBERS: Final = count(1)


def _next_request_id(headers: dict[str, Any]) -> str:
    name = f"{next(_NUMBERS):052d}"
    headers["x-amzn-requestid"] = name
    return name

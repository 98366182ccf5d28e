"""Makes moto quicker where it does the same again for each request.

A value of DynamoDB is one member of ten ({"S": …}, {"N": …}); moto looks for each of them under
several names, which takes a third of all its time. And it lists what the class of a service has for
methods, to know whether an action is one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from moto.core import responses
from moto.core.serialize import ResponseSerializer
from moto.core.utils import method_names_from_class

_VALUE: Final = "AttributeValue"  # of botocore's service models of DynamoDB and its streams


def install(change: Callable[[Any, str, object], None] = setattr) -> None:
    """Changes moto, for this process; or, with pytest's ``monkeypatch``, for a while."""
    usual = ResponseSerializer.get_value

    def get_value(serializer: Any, value: Any, key: str, shape: Any) -> Any:  # noqa: ANN401
        structure = getattr(shape, "parent", None)
        if type(value) is dict and structure is not None and structure.name == _VALUE:
            return value.get(key)
        return usual(serializer, value, key, shape)

    change(ResponseSerializer, "get_value", get_value)
    change(responses, "method_names_from_class", cache(method_names_from_class))

"""Write names into paths: of API requests and of files in S3.

API Gateway decodes the path of a request before it finds the route. So ``a%2Fopt-out`` becomes two
segments, and all after an encoded ``?`` is lost: free text in a path could name another person.

A name of ASCII letters, digits and ``-._@`` is its own segment, except ``.`` and ``..``. Any other
name is ``~`` and the base64url of its UTF-8 bytes without padding: a segment contains no slash, no
percent sign and nothing that a path resolves, and two names never share one.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Final

from waypost.errors import InvalidRequest

NAME_FORMAT: Final = (
    "write a name of ASCII letters, digits and -._@ as it is, and any other name as ~ and the "
    "base64url of its UTF-8 bytes without padding"
)

_PLAIN_NAME: Final = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9._@-]+")
_ENCODED_PREFIX: Final = "~"


def encode_path_name(name: str) -> str:
    """Encode a name, which contains no lone surrogate, as one segment of a path."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return _ENCODED_PREFIX + urlsafe_b64encode(name.encode()).rstrip(b"=").decode()


def decode_path_name(segment: str) -> str:
    """Decode a segment. Each name has one segment, which ``encode_path_name`` returns.

    :raises ValueError: with the format of names in paths.
    """
    if _PLAIN_NAME.fullmatch(segment):
        return segment
    encoded = segment.removeprefix(_ENCODED_PREFIX)
    try:
        name = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        name = ""
    if not name or encode_path_name(name) != segment:
        raise ValueError(f"is not a name in a path; {NAME_FORMAT}")
    return name


def decode_path_parameter(parameters: Mapping[str, str], field: str) -> str:
    """Decode the name in one of API Gateway's path parameters. Raises InvalidRequest."""
    try:
        return decode_path_name(parameters[field])
    except ValueError as error:
        raise InvalidRequest.from_field(field, str(error)) from error

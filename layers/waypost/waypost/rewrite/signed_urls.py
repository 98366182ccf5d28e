"""Recognise URLs with a signed query: an added parameter would make the signature invalid.

Sources: AWS Signature Version 4 and 2 (query string), CloudFront's signed URLs (canned and custom
policy), Google Cloud Storage's signed URLs V4 and V2, Azure's shared access signatures (SAS).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import unquote_plus

_PROVIDER_PARAMETERS: Final = (
    ("an AWS signature", ("x-amz-signature",)),
    ("an AWS signature", ("awsaccesskeyid", "signature")),
    ("a CloudFront signature", ("key-pair-id", "signature")),
    ("a Google Cloud Storage signature", ("x-goog-signature",)),
    ("a Google Cloud Storage signature", ("googleaccessid", "signature")),
    ("an Azure SAS", ("sv", "sig")),
)
"""Parameters in lower case that all have a value in a provider's signed URLs."""

_SIGNATURE_NAME: Final = re.compile(r".*(?:signature|hmac)|(?:.*[_\-.])?sig|_hash", re.DOTALL)
_SIGNATURE_VALUE: Final = re.compile(r"[a-z0-9+/=_~\-]{16}", re.IGNORECASE)
"""16 characters of hex or base64, also in its forms for URLs (CloudFront uses ``~``)."""
_EXPIRY_NAME: Final = re.compile(
    r".*expir.*|(?:.*[_\-.])?(?:exp|valid[_\-]?(?:until|to)|not[_\-]?after|deadline|ttl)|se",
    re.DOTALL,
)

# A quick first test: a name that the patterns match has one of these; most queries have none.
_SIGNATURE_HINTS: Final = ("sig", "hmac", "_hash", "%")
# A URL that is written unencoded into another's query adds its own question mark.
_SEPARATORS: Final = re.compile("[?&;]")


def find_signature(url: str, other_names: Collection[str] = ()) -> str | None:
    """Find the signature in the query of a URL; return its kind as a noun, or None.

    ``other_names``: lower-case names of further parameters that sign a URL.
    """
    query = url.partition("#")[0].partition("?")[2]
    if not query:
        return None
    lowered = query.lower()
    if not other_names and not [hint for hint in _SIGNATURE_HINTS if hint in lowered]:
        return None
    parameters = list(_iter_parameters(query))
    present = {name for name, _ in parameters}
    for kind, names in _PROVIDER_PARAMETERS:
        if present.issuperset(names):
            return kind
    has_expiry = any(map(_EXPIRY_NAME.fullmatch, present))
    for name, value in parameters:
        is_signature = _SIGNATURE_NAME.fullmatch(name) and (
            has_expiry or _SIGNATURE_VALUE.search(value)
        )
        if is_signature or name in other_names:
            return f"a signature in {name[:40]!r}"
    return None


def _iter_parameters(query: str) -> Iterator[tuple[str, str]]:
    """Iterate over the parameters that have a value: names decoded and in lower case."""
    for pair in _SEPARATORS.split(query):
        name, _, value = pair.partition("=")
        if value:
            yield unquote_plus(name).lower(), unquote_plus(value)

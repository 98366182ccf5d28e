"""Write names into paths: of files in S3, so that no name stands for another's folder.

A name of ASCII letters, digits and ``-._@`` is its own segment, except ``.`` and ``..``. Any other
name is ``~`` and the base64url of its UTF-8 bytes without padding: a segment contains no slash, no
percent sign and nothing that a path resolves, and two names never share one.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from typing import Final

_PLAIN_NAME: Final = re.compile(r"(?!\.\.?\Z)[A-Za-z0-9._@-]+")
_ENCODED_PREFIX: Final = "~"


def encode_path_name(name: str) -> str:
    """Encode a name, which contains no lone surrogate, as one segment of a path."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return _ENCODED_PREFIX + urlsafe_b64encode(name.encode()).rstrip(b"=").decode()

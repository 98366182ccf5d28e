"""What the headers of a part say of it, where the standard library can read that.

Its parser gives up on some parameters of hostile or broken messages (RFC 2231), each time with
another of Python's errors; they say nothing then, and mail programs go by the defaults, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from email.message import Message as Headers
from typing import Final

US_ASCII: Final = "us-ascii"


def charset_of(headers: Headers) -> str:
    """The charset that a part says it is in."""
    return _read(headers.get_content_charset) or US_ASCII


def boundary_of(headers: Headers) -> str | None:
    """What stands between the parts of a multipart; None where it does not say."""
    return _read(headers.get_boundary)


def encoding_of(headers: Headers) -> str:
    """The transfer encoding that a part says it is in, without what may stand behind its name."""
    named = re.search(r"[\w\-]+", str(headers.get("content-transfer-encoding", "")))
    return named[0].lower() if named else "7bit"


def _read(parameter: Callable[[], object]) -> str | None:
    try:
        value = parameter()
    except (TypeError, ValueError, LookupError):
        return None
    return str(value) if value else None

"""Which requests came through CloudFront, whose word about a viewer is taken."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence


def came_through_front(headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    """Whether a request carries one of the origin's secrets, so that CloudFront sent it."""
    given = headers.get("x-waypost-origin", "").encode()
    matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets if secret]
    return any(matches)

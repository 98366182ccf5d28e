"""What CloudFront refuses, as errors of ours; where a customer or operator can help, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from waypost.errors import Conflict, EdgeRefused, NotAtEdge, StoreUnavailable

ELSEWHERE: Final = "another CloudFront distribution has this host; take it off there"

_REFUSALS: Final = {
    "CNAMEAlreadyExists": ELSEWHERE,
    "EntityLimitExceeded": "the account has no room for more domains; a quota has to be raised",
    "InvalidArgument": "CloudFront does not take this host",
    "AccessDenied": "this stack may not add hosts to CloudFront; its policy has to allow it",
}
_MISSING: Final = ("EntityNotFound", "404")  # the second, where an answer has no body to say more
_RACES: Final = ("PreconditionFailed", "InvalidIfMatchVersion", "EntityAlreadyExists")


@contextmanager
def translated(subject: str) -> Iterator[None]:
    """Turn what CloudFront answers about a subject into errors of ours.

    Raises NotAtEdge, EdgeRefused, Conflict (somebody else was faster), or StoreUnavailable.
    """
    try:
        yield
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code in _MISSING:
            raise NotAtEdge(f"CloudFront: {code}") from e
        if code in _REFUSALS:
            raise EdgeRefused(_REFUSALS[code]) from e
        if code in _RACES:
            raise Conflict(f"{subject}: {code}") from e
        raise StoreUnavailable(f"CloudFront: {code}") from e
    except (BotoCoreError, ResponseParserError) as e:
        raise StoreUnavailable(f"CloudFront: {type(e).__name__}") from e

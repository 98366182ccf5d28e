"""The errors of Waypost, as one tree. Each error has its evidence as attributes.

    WaypostError
    ├── InvalidRequest             a request breaks its contract; names every field and reason
    ├── NotFound                   a workspace, campaign, link, person or domain does not exist
    ├── AlreadyExists              a name is taken, or its id belongs to another name
    ├── ConcurrentModification     other writers won every attempt; nothing was changed
    ├── OperatorRequired           a workspace asks for a change that only operators may make
    ├── ShareAccessDenied          a report page needs a share link that covers it
    ├── TooLarge                   a message exceeds the accepted size
    ├── ConfigurationError         the environment of a function lacks something
    ├── TokenError                 a tracking link that fails
    │   ├── BadSignature           not signed by any key of this stack
    │   ├── UnknownVersion         correctly signed by a newer version of the software
    │   ├── MalformedToken         unreadable, signed or not
    │   ├── UnknownShortLink       a code that was never issued, or is deleted
    │   ├── ExpiredShortLink       a code after its expiry
    │   └── MissingDestination     a link whose stored destination was deleted
    ├── UnsafeDestination          a destination that is never signed nor redirected to
    ├── CdnRequestRejected         the CDN rejects a tracking domain
    │   └── HostnameInUse          another distribution serves the host already
    ├── CallFailed                 (waypost.client) the rewrite function failed or refused
    └── StoreError
        ├── StoreUnavailable       the store timed out, throttled or failed
        │   └── CdnResourceMissing the CDN knows no such tenant, certificate or distribution
        ├── CorruptItem            a stored, queued or logged item cannot be read back
        │   └── CorruptItemSet     some of several requested items are corrupt; names them
        └── WriteConflict          a conditional write lost against another writer; read again

``waypost.responses.problem_response`` converts them to problem+json (RFC 9457). Nothing else maps
errors to statuses.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


class WaypostError(Exception):
    """The root of the tree. Its text is for the caller and may be shown to them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a request.

    ``field`` is a path as the caller wrote it (``recipients[3].delivery``). ``reason`` is a clause.
    """

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidRequest(WaypostError):
    """Raised once, at the boundary, with every problem of a request."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def from_field(cls, field: str, reason: str) -> InvalidRequest:
        return cls(Problem(field, reason))


class NotFound(WaypostError):
    """Raised when no resource has the requested name."""

    def __init__(self, resource_type: str, name: str) -> None:
        super().__init__(f"no {resource_type} {name!r}")
        self.resource_type = resource_type
        self.name = name


class AlreadyExists(WaypostError):
    """Raised when a name is taken, or its id belongs to another name."""

    def __init__(self, resource_type: str, name: str, reason: str) -> None:
        super().__init__(f"{resource_type} {name!r}: {reason}")
        self.resource_type = resource_type
        self.name = name


class ConcurrentModification(WaypostError):
    """Raised when other writers changed a resource before every attempt to save it."""

    def __init__(self, resource_type: str, name: str) -> None:
        super().__init__(f"{resource_type} {name!r}: concurrent changes; try again")
        self.resource_type = resource_type
        self.name = name


class OperatorRequired(WaypostError):
    """Raised when a workspace's route is asked for a change that only operators may make.

    ``route``: the operators' route for it.
    """

    def __init__(self, field: str, route: str) -> None:
        super().__init__(f"{field}: only operators may set it; they use {route}")
        self.field = field
        self.route = route


class ShareAccessDenied(WaypostError):
    """Raised when a report page is requested without a share link that covers it.

    ``reason``: tampered, version, expired, scope, people, or none without a share link.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class TooLarge(WaypostError):
    """Raised when a message exceeds the limit. Sizes are in bytes."""

    def __init__(self, field: str, size: int, limit: int) -> None:
        super().__init__(f"{field} is {size:,} bytes; at most {limit:,} are accepted")
        self.field = field
        self.size = size
        self.limit = limit


class ConfigurationError(WaypostError):
    """Raised when a function starts without a variable, or with an invalid one."""

    def __init__(self, variable: str, reason: str = "is not set") -> None:
        super().__init__(f"environment variable {variable} {reason}")
        self.variable = variable


class TokenError(WaypostError):
    """The root of errors that make a tracking link fail. ``reason`` is a metric's dimension."""

    reason = "token"


class BadSignature(TokenError):
    """Raised when no key of the keyring signed the token."""

    reason = "signature"


class UnknownVersion(TokenError):
    """Raised when a correctly signed token has an unknown version."""

    reason = "version"

    def __init__(self, version: int) -> None:
        super().__init__(f"token: unknown version ({version})")
        self.version = version


class MalformedToken(TokenError):
    """Raised when a token is unreadable, signed or not."""

    reason = "malformed"


class UnknownShortLink(TokenError):
    """Raised when a short link's code was never issued, or was deleted after its expiry."""

    reason = "short_link"


class ExpiredShortLink(TokenError):
    """Raised when a short link is followed after its expiry."""

    reason = "expired"


class MissingDestination(TokenError):
    """Raised when a link refers to a stored destination that was deleted."""

    reason = "destination"


class UnsafeDestination(WaypostError):
    """Raised when an href must not be signed nor redirected to. ``reason`` is a clause."""

    def __init__(self, href: str, reason: str) -> None:
        super().__init__(f"{href[:200]!r}: {reason}")
        self.href = href
        self.reason = reason


class CdnRequestRejected(WaypostError):
    """Raised when the CDN rejects a host, for a reason that its owner or the operator can fix."""


class HostnameInUse(CdnRequestRejected):
    """Raised when another distribution of the account serves a host already."""


class CallFailed(WaypostError):
    """Raised by ``waypost.client`` when a function does not respond after all attempts, or rejects
    a call for a reason that has no specific error. ``status``: of the rejection, None without one.
    """

    def __init__(self, function: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{function}: {reason}")
        self.function = function
        self.reason = reason
        self.status = status


class StoreError(WaypostError):
    """The root of errors of stores."""


class StoreUnavailable(StoreError):
    """Raised when a store times out, throttles or fails. The outcome of a write is unknown."""


class CorruptItem(StoreError):
    """Raised when a stored, queued or logged item is unreadable. Its text names the part."""


class CorruptItemSet(CorruptItem):
    """Raised when some of several requested items are corrupt. ``keys`` are theirs, as requested;
    its text names no person.
    """

    def __init__(self, text: str, keys: Collection[Any]) -> None:
        super().__init__(text)
        self.keys = frozenset(keys)


class CdnResourceMissing(StoreUnavailable):
    """Raised when the CDN has no such tenant, certificate, distribution or connection group."""


class WriteConflict(StoreError):
    """Raised when a conditional write loses against another writer. Nothing was written."""

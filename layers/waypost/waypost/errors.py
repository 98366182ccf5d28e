"""Everything that can go wrong, as one tree; each error carries its evidence.

    WaypostError
    ├── InvalidRequest             a request breaks its contract; names every field and reason
    ├── NotFound                   a workspace, campaign, link, person or domain does not exist
    ├── AlreadyExists              a name is taken, or its id belongs to another name
    ├── ConcurrentModification     other writers won every attempt; nothing was changed
    ├── ShareAccessDenied          a report page needs a share link that covers it
    ├── TooLarge                   a message exceeds the accepted size
    ├── ConfigurationError         the environment of a function lacks something
    ├── TokenError                 a tracking link that leads nowhere
    │   ├── BadSignature           not signed by any key of this stack
    │   ├── UnknownVersion         correctly signed by a newer version of the software
    │   ├── MalformedToken         correctly signed and still unreadable
    │   ├── UnknownShortLink       a code that was never issued, or is deleted
    │   └── ExpiredShortLink       a code after its expiry
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

``waypost.responses.problem`` turns them into problem+json (RFC 9457); nothing else maps errors to
statuses.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


class WaypostError(Exception):
    """Root of the tree. Its text is written for the caller and may be shown to them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a request.

    ``field`` is a path as the caller wrote it (``recipients[3].delivery``); ``reason`` is a plain
    clause.
    """

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class InvalidRequest(WaypostError):
    """Raised at the boundary where a request enters, once, with every problem that was found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems

    @classmethod
    def from_field(cls, field: str, reason: str) -> InvalidRequest:
        return cls(Problem(field, reason))


class NotFound(WaypostError):
    """Raised when something is asked for by a name that was never seen."""

    def __init__(self, resource_type: str, name: str) -> None:
        super().__init__(f"no {resource_type} {name!r}")
        self.resource_type = resource_type
        self.name = name


class AlreadyExists(WaypostError):
    """Raised when a name cannot be taken: it is taken, or its code belongs to another name."""

    def __init__(self, resource_type: str, name: str, reason: str) -> None:
        super().__init__(f"{resource_type} {name!r}: {reason}")
        self.resource_type = resource_type
        self.name = name


class ConcurrentModification(WaypostError):
    """Raised when something was changed by others each time that a change was about to be kept."""

    def __init__(self, resource_type: str, name: str) -> None:
        super().__init__(f"{resource_type} {name!r}: others are changing it; nothing was changed")
        self.resource_type = resource_type
        self.name = name


class ShareAccessDenied(WaypostError):
    """Raised when a report page is asked for without a share link that covers it.

    ``reason`` is one of none, tampered, version, expired, scope and people.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class TooLarge(WaypostError):
    """Raised when a message is larger than the limit. Sizes in bytes."""

    def __init__(self, field: str, size: int, limit: int) -> None:
        super().__init__(f"{field} is {size:,} bytes; at most {limit:,} are accepted")
        self.field = field
        self.size = size
        self.limit = limit


class ConfigurationError(WaypostError):
    """Raised while a function starts, naming the variable that is missing or unusable."""

    def __init__(self, variable: str, reason: str = "is not set") -> None:
        super().__init__(f"environment variable {variable} {reason}")
        self.variable = variable


class TokenError(WaypostError):
    """Root of what makes a tracking link lead nowhere. ``reason`` names a metric's dimension."""

    reason = "token"


class BadSignature(TokenError):
    """Raised when no key of the keyring signed the token."""

    reason = "signature"


class UnknownVersion(TokenError):
    """Raised when a correctly signed token has a version that this software does not know."""

    reason = "version"

    def __init__(self, version: int) -> None:
        super().__init__(f"token version {version} is not known")
        self.version = version


class MalformedToken(TokenError):
    """Raised when a token cannot be read, signed or not."""

    reason = "malformed"


class UnknownShortLink(TokenError):
    """Raised when a short link's code was given to nobody, or expired long ago."""

    reason = "short_link"


class ExpiredShortLink(TokenError):
    """Raised when a short link is followed after the time that its workspace gave it."""

    reason = "expired"


class UnsafeDestination(WaypostError):
    """Raised when an href must neither be signed nor redirected to. ``reason`` is a clause."""

    def __init__(self, href: str, reason: str) -> None:
        super().__init__(f"{href[:200]!r}: {reason}")
        self.href = href
        self.reason = reason


class CdnRequestRejected(WaypostError):
    """Raised when the CDN does not take a host, for a reason that its owner or we can change."""


class HostnameInUse(CdnRequestRejected):
    """Raised when another distribution of the account has a host, so that we hold nothing of it."""


class CallFailed(WaypostError):
    """Raised by ``waypost.client`` when a function gives no answer after all attempts, or refuses
    for a reason that has no error of its own. ``status``: of the refusal, None without any.
    """

    def __init__(self, function: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{function}: {reason}")
        self.function = function
        self.reason = reason
        self.status = status


class StoreError(WaypostError):
    """Root of what goes wrong with a store."""


class StoreUnavailable(StoreError):
    """Raised when a store did not answer in time, throttled, or failed.

    The outcome of a write is then unknown.
    """


class CorruptItem(StoreError):
    """Raised when something stored, parked or logged cannot be read back; names the part."""


class CorruptItemSet(CorruptItem):
    """Raised when some of several rows that were asked for cannot be read. ``keys`` are theirs, as
    they were asked for; its text names nobody.
    """

    def __init__(self, text: str, keys: Collection[Any]) -> None:
        super().__init__(text)
        self.keys = frozenset(keys)


class CdnResourceMissing(StoreUnavailable):
    """Raised when the CDN knows no such tenant, certificate, distribution or group."""


class WriteConflict(StoreError):
    """Raised when a conditional write lost against another writer. Nothing was written."""

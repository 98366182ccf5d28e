"""A tracking domain: its owner, its last check, its history, and its items in DynamoDB.

The stack's own default host is a tracking domain too, of the workspace ``STACK_WORKSPACE``. The
item has the domain as one JSON text.

    pk                sk          item
    W#{workspace}     D#{host}    the domain, with the version for optimistic locking
    D                 D#{host}    the claim: the host's workspace and the time of its next check

The claim makes a host unique to one workspace, finds a domain by its host, and lists the domains
that are due. An account may have 10,000 tenants, and one partition holds that many claims easily.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, Self, TypeVar, cast

from waypost.errors import CorruptItem
from waypost.ids import WorkspaceId
from waypost.models import attributes
from waypost.models.attributes import Item, field_types, first_invalid_field, matches_type
from waypost.models.domain_check import CaaResult, CheckResult, DnsResult, HstsResult, ProbeResult
from waypost.models.workspace import workspace_partition

DomainStage = Literal["waiting", "issuing", "http", "https", "blocked", "fallen_back"]
"""The stage of a domain; ``domains.state_machine`` has the transitions.

waiting      not usable yet; the customer has to act
issuing      DNS is correct; the certificate is in progress
http         links over HTTP work (the customer's own proxy)
https        links over HTTPS work
blocked      HTTP works, but browsers require HTTPS (HSTS), and HTTPS does not work
fallen_back  worked, then failed twice in a row; new messages use the default host
"""

DomainRole = Literal["links", "short"]
"""The links that a domain serves: all of its senders, or only short links in text messages."""

DomainUse = Literal["on", "reverted", "removed"]
"""The use that the owner wants: on, reverted (not used for now) or removed."""

STACK_WORKSPACE: Final = WorkspaceId("stack")
"""The workspace of the stack's own default host; other ids are hexadecimal."""

STACK_WORKSPACE_NAME: Final = "(stack)"
"""The name of its workspace in routes, logs and events."""

MAX_HISTORY: Final = 100
"""Maximum of changes in a history; the oldest are dropped. Each was also an event."""


@dataclass(frozen=True, slots=True)
class AndroidApp:
    """A package and the SHA-256 fingerprints of the certificates that sign it."""

    package: str
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppLinks:
    """The apps of a domain.

    ``ios`` has application identifiers (``TEAM.bundle``). ``urls`` has patterns of destinations
    that the apps can show; ``*`` matches any text.
    """

    ios: tuple[str, ...] = ()
    android: tuple[AndroidApp, ...] = ()
    urls: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return plain values, for JSON and for the item."""
        return {
            "ios": list(self.ios),
            "android": [
                {"package": app.package, "fingerprints": list(app.fingerprints)}
                for app in self.android
            ],
            "urls": list(self.urls),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read the values of ``to_dict``. Raises TypeError or LookupError for anything else."""
        return cls(
            ios=_require_list(values.get("ios", [])),
            android=tuple(
                AndroidApp(app["package"], _require_list(app["fingerprints"]))
                for app in _require_list(values.get("android", []))
            ),
            urls=_require_list(values.get("urls", [])),
        )


def _require_list(value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("expected a list")
    return tuple(value)


NO_APP_LINKS: Final = AppLinks()


@dataclass(frozen=True, slots=True)
class DomainChange:
    """A change from one stage, or use, to another."""

    at: datetime
    before: str
    after: str
    reason: str


@dataclass(frozen=True, slots=True)
class SendingDomain:
    """The sending domain of a tracking domain, and the source of its verification."""

    domain: str
    verified: bool = False
    by_operator: bool = False
    since: datetime | None = None
    asked: datetime | None = None
    """Time of the last lookup."""


@dataclass(frozen=True, slots=True)
class DomainCertificate:
    """The CDN's last state of a host's certificate; ``status`` is CloudFront's, or ``none``."""

    status: str = "none"
    requested: datetime | None = None
    problem: str | None = None
    """The reason that the CDN rejected the host, for its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingDomain:
    """One host of one workspace.

    ``version`` counts the writes. ``proof`` is the value of the TXT record that replaces a CNAME.
    """

    workspace: WorkspaceId
    workspace_name: str
    host: str
    sending: SendingDomain
    proof: str
    added: datetime
    role: DomainRole = "links"
    use: DomainUse = "on"
    stage: DomainStage = "waiting"
    since: datetime
    failures: int = 0
    """Failed checks in a row of a domain that works."""
    proven: bool = False
    """True once a check has found the TXT proof."""
    findings: CheckResult | None = None
    lit: tuple[tuple[str, str, datetime], ...] = ()
    """Each light (dns, http, https, sending), its colour, and since when."""
    certificate: DomainCertificate = DomainCertificate()
    app_links: AppLinks = NO_APP_LINKS
    checked: datetime | None = None
    due: datetime
    history: tuple[DomainChange, ...] = ()
    version: int = 0

    @property
    def is_working(self) -> bool:
        """Return True if the last checks say that links on the domain work."""
        return self.stage in ("http", "https")

    @property
    def is_owned(self) -> bool:
        """Return True if the workspace has proved to own the host.

        The host lies in the sending domain, whose owner is known, or the operator confirms it, or a
        check found the TXT proof. A CNAME to this stack proves nothing: any workspace could claim a
        wildcard, or a record that is older than its domain.
        """
        in_sending_domain = is_in_domain(self.host, self.sending.domain)
        return in_sending_domain or self.sending.by_operator or self.proven

    @property
    def is_usable(self) -> bool:
        """Return True if new messages of its sending domain get links on this domain."""
        return self.is_working and self.use == "on" and self.sending.verified and self.is_owned

    @property
    def base_url(self) -> str:
        """Return scheme and host of new links."""
        return f"{'https' if self.stage == 'https' else 'http'}://{self.host}"

    def with_change(
        self, changed_at: datetime, before: str, after: str, reason: str
    ) -> TrackingDomain:
        """Add a change to the history and drop the oldest beyond the maximum."""
        change = DomainChange(changed_at, before, after, reason)
        return replace(self, history=(*self.history, change)[-MAX_HISTORY:])

    def with_sending_domain(
        self, sending: SendingDomain, changed_at: datetime, reason: str
    ) -> TrackingDomain:
        """Return the domain with this sending domain.

        The history gets a change if the verification changes, which decides if messages use the
        domain.
        """
        changed = replace(self, sending=sending)
        if sending.verified == self.sending.verified:
            return changed
        return changed.with_change(
            changed_at, _verification_name(self.sending), _verification_name(sending), reason
        )

    def get_changes_since(self, earlier: TrackingDomain) -> tuple[DomainChange, ...]:
        """List the changes that an earlier version's history does not have."""
        return tuple(change for change in self.history if change not in earlier.history)


def _verification_name(sending: SendingDomain) -> str:
    return "verified" if sending.verified else "unverified"


def is_in_domain(host: str, domain: str) -> bool:
    """Return True if a host is the domain or one of its subdomains."""
    return host == domain or host.endswith("." + domain)


def create_domain(
    workspace: WorkspaceId,
    workspace_name: str,
    host: str,
    sending_domain: str,
    proof: str,
    now: datetime,
) -> TrackingDomain:
    """Create a domain as it is added: never checked, and due at once."""
    return TrackingDomain(
        workspace=workspace,
        workspace_name=workspace_name,
        host=host,
        sending=SendingDomain(sending_domain),
        proof=proof,
        added=now,
        since=now,
        due=now,
    )


def utc_now(clock: Callable[[], float] = time.time) -> datetime:
    """Return the time in UTC, to the second."""
    return datetime.fromtimestamp(clock(), UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class CnameTargets:
    """The stack's names for CNAMEs.

    ``endpoint`` is the CDN's name. ``default_host`` is the stack's own name for it, empty if the
    stack has none.
    """

    endpoint: str
    default_host: str = ""

    def get_cname_targets(self, domain: TrackingDomain) -> tuple[str, ...]:
        """List the valid targets of this domain's CNAME, the recommended one first."""
        if domain.workspace == STACK_WORKSPACE or not self.default_host:
            return (self.endpoint,)
        return (self.default_host, self.endpoint)

    def get_primary_target(self, domain: TrackingDomain) -> str:
        """Return the recommended target of this domain's CNAME."""
        return self.get_cname_targets(domain)[0]


_ResultPart = TypeVar("_ResultPart", DnsResult, ProbeResult, HstsResult, CaaResult)


def domain_from_values(values: Mapping[str, Any], version: int) -> TrackingDomain:
    """Build a domain from its JSON values; ignore keys of newer versions.

    Raises LookupError, TypeError, ValueError or AttributeError if the structure is wrong. The
    caller validates the types of single values.
    """
    return TrackingDomain(
        workspace=WorkspaceId(values["workspace"]),
        workspace_name=values["workspace_name"],
        host=values["host"],
        sending=_parse_sending_domain(values["sending"]),
        proof=values["proof"],
        added=parse_aware_time(values["added"]),
        role=values.get("role", "links"),
        use=values["use"],
        stage=values["stage"],
        since=parse_aware_time(values["since"]),
        failures=values["failures"],
        proven=values["proven"],
        findings=_parse_check_result(values["findings"]),
        lit=tuple(
            (name, colour, parse_aware_time(since))
            for name, colour, since in _require_list(values["lit"])
        ),
        certificate=DomainCertificate(
            values["certificate"]["status"],
            _parse_optional_time(values["certificate"]["requested"]),
            values["certificate"]["problem"],
        ),
        app_links=AppLinks.from_dict(values["app_links"]),
        checked=_parse_optional_time(values["checked"]),
        due=parse_aware_time(values["due"]),
        history=tuple(_parse_change(change) for change in _require_list(values["history"])),
        version=version,
    )


def _parse_sending_domain(values: Mapping[str, Any]) -> SendingDomain:
    return SendingDomain(
        values["domain"],
        verified=values["verified"],
        by_operator=values["by_operator"],
        since=_parse_optional_time(values["since"]),
        asked=_parse_optional_time(values.get("asked")),
    )


def _parse_check_result(values: Mapping[str, Any] | None) -> CheckResult | None:
    if values is None:
        return None
    return CheckResult(
        dns=_parse_result_part(DnsResult, values["dns"]),
        http=_parse_result_part(ProbeResult, values["http"]),
        https=_parse_result_part(ProbeResult, values["https"]),
        hsts=_parse_result_part(HstsResult, values["hsts"]),
        caa=_parse_result_part(CaaResult, values["caa"]),
    )


def _parse_result_part(result_type: type[_ResultPart], values: Mapping[str, Any]) -> _ResultPart:
    """Build one part of a check result; ignore keys of newer versions."""
    known = {n: values[n] for n in field_types(result_type) if n in values}
    tuples: dict[str, Any] = {n: tuple(v) for n, v in known.items() if isinstance(v, list)}
    return result_type(**known | tuples)


def _parse_change(values: Mapping[str, str]) -> DomainChange:
    return DomainChange(
        parse_aware_time(values["at"]), values["before"], values["after"], values["reason"]
    )


def parse_aware_time(text: str) -> datetime:
    """Parse a time with its zone. Raises TypeError or ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("time without a zone")
    return time


def _parse_optional_time(text: str | None) -> datetime | None:
    return None if text is None else parse_aware_time(text)


CLAIM_PARTITION: Final = "D"


def build_domain_key(workspace: WorkspaceId, host: str) -> Item:
    return attributes.build_item({"pk": workspace_partition(workspace), "sk": f"D#{host}"})


def build_claim_key(host: str) -> Item:
    return attributes.build_item({"pk": CLAIM_PARTITION, "sk": f"D#{host}"})


def domain_to_item(domain: TrackingDomain) -> Item:
    """Build the domain's item."""
    values = asdict(domain) | {"app_links": domain.app_links.to_dict()}
    del values["version"]
    text = json.dumps(values, default=_format_time, ensure_ascii=False)
    item_values = attributes.build_item({"domain": text, "version": domain.version})
    return build_domain_key(domain.workspace, domain.host) | item_values


def claim_to_item(domain: TrackingDomain) -> Item:
    """Build the item that claims the host for its workspace."""
    item_values = attributes.build_item(
        {"workspace": domain.workspace, "due": _format_time(domain.due)}
    )
    return build_claim_key(domain.host) | item_values


def domain_from_item(domain_item: Item) -> TrackingDomain:
    """Read a domain from its item; ignore keys of newer versions.

    Raises CorruptItem with the host, and the field if one is invalid.
    """
    host = _get_host(domain_item)
    try:
        domain = domain_from_values(
            _parse_json_values(domain_item), attributes.get_number(domain_item, "version")
        )
    except (LookupError, TypeError, ValueError, AttributeError, CorruptItem) as e:
        raise CorruptItem(f"tracking domain {host}: cannot be read ({type(e).__name__} {e})") from e
    invalid_field = "host" if domain.host != host else first_invalid_field(domain)
    if invalid_field:
        raise CorruptItem(f"tracking domain {host}: invalid field {invalid_field!r}")
    return domain


def stage_from_item(domain_item: Item) -> DomainStage:
    """Read only the stage of a domain. Raises CorruptItem."""
    values = _parse_json_values(domain_item)
    stage = values.get("stage") if isinstance(values, dict) else None
    if not matches_type(stage, DomainStage):
        raise CorruptItem(f"tracking domain {_get_host(domain_item)}: invalid field 'stage'")
    return cast("DomainStage", stage)


def claim_from_item(claim_item: Item) -> tuple[WorkspaceId, str, datetime]:
    """Read the workspace, host and due time of a claim. Raises CorruptItem with the host."""
    host = _get_host(claim_item)
    try:
        return (
            WorkspaceId(attributes.get_text(claim_item, "workspace")),
            host,
            parse_aware_time(attributes.get_text(claim_item, "due")),
        )
    except (ValueError, CorruptItem) as e:
        raise CorruptItem(f"claim of {host}: {e}") from e


def _get_host(stored_item: Item) -> str:
    return attributes.get_text(stored_item, "sk").removeprefix("D#")


def _parse_json_values(stored_item: Item) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(attributes.get_text(stored_item, "domain"))
    except (ValueError, RecursionError) as e:
        raise CorruptItem(f"tracking domain {_get_host(stored_item)}: not JSON") from e


def _format_time(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"tracking domain: value of type {type(value).__name__} is not JSON")
    return value.isoformat()

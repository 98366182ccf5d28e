"""How a tracking domain is kept: its keys, and its parts as one JSON text.

    pk                sk          what
    W#{workspace}     D#{host}    the domain itself, with the version that conditional writes need
    D                 D#{host}    that the host is taken, by whom, and when it is to be checked

The second is what makes a host one workspace's alone, finds a domain by its host, and lists what
is due; an account has room for 10,000 tenants, which one partition holds easily.

A tracking domain of the values that its JSON text has, part by part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, TypeVar, cast

from waypost.domains.app_links import AppLinks
from waypost.domains.check_results import CaaResult, CheckResult, DnsResult, HstsResult, ProbeResult
from waypost.domains.model import (
    DomainCertificate,
    DomainChange,
    DomainStage,
    SendingDomain,
    TrackingDomain,
)
from waypost.errors import CorruptItem
from waypost.ids import WorkspaceId
from waypost.models import attributes
from waypost.models.attributes import Item, build_validator, field_validators, first_invalid_field
from waypost.models.workspace import workspace_partition

_ResultPart = TypeVar("_ResultPart", DnsResult, ProbeResult, HstsResult, CaaResult)


def domain_from_values(values: Mapping[str, Any], version: int) -> TrackingDomain:
    """A domain of the values that its text has; keys of newer versions are ignored.

    Raises LookupError, TypeError, ValueError or AttributeError where they are no domain's, but says
    nothing of the kinds of single values.
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
            for name, colour, since in _require_json_list(values["lit"])
        ),
        certificate=DomainCertificate(
            values["certificate"]["status"],
            _parse_optional_time(values["certificate"]["requested"]),
            values["certificate"]["problem"],
        ),
        app_links=AppLinks.from_dict(values["app_links"]),
        checked=_parse_optional_time(values["checked"]),
        due=parse_aware_time(values["due"]),
        history=tuple(_parse_change(change) for change in _require_json_list(values["history"])),
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
    """What was found of one kind, its lists as they are held; without keys of newer versions."""
    held = {n: values[n] for n in field_validators(result_type) if n in values}
    lists: dict[str, Any] = {n: tuple(v) for n, v in held.items() if isinstance(v, list)}
    return result_type(**held | lists)


def _require_json_list(values: object) -> Sequence[Any]:
    if not isinstance(values, list):
        raise TypeError("no list where there has to be one")
    return values


def _parse_change(values: Mapping[str, str]) -> DomainChange:
    return DomainChange(
        parse_aware_time(values["at"]), values["before"], values["after"], values["reason"]
    )


def parse_aware_time(text: str) -> datetime:
    """A time with its zone. Raises TypeError or ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time


def _parse_optional_time(text: str | None) -> datetime | None:
    return None if text is None else parse_aware_time(text)


CLAIM_PARTITION: Final = "D"
_is_stage: Final = build_validator(DomainStage)


def build_domain_key(workspace: WorkspaceId, host: str) -> Item:
    return attributes.build_item({"pk": workspace_partition(workspace), "sk": f"D#{host}"})


def build_claim_key(host: str) -> Item:
    return attributes.build_item({"pk": CLAIM_PARTITION, "sk": f"D#{host}"})


def domain_to_item(domain: TrackingDomain) -> Item:
    """The domain's own item."""
    values = asdict(domain) | {"app_links": domain.app_links.to_dict()}
    del values["version"]
    text = json.dumps(values, default=_format_time, ensure_ascii=False)
    kept = attributes.build_item({"domain": text, "version": domain.version})
    return build_domain_key(domain.workspace, domain.host) | kept


def claim_to_item(domain: TrackingDomain) -> Item:
    """The item that takes the host."""
    kept = attributes.build_item({"workspace": domain.workspace, "due": _format_time(domain.due)})
    return build_claim_key(domain.host) | kept


def domain_from_item(domain_item: Item) -> TrackingDomain:
    """Read what ``to_item`` gave; keys of newer versions are ignored.

    Raises MalformedItem, naming the host, and the field where it is one.
    """
    host = _get_host(domain_item)
    try:
        domain = domain_from_values(
            _parse_json_values(domain_item), attributes.get_number(domain_item, "version")
        )
    except (LookupError, TypeError, ValueError, AttributeError, CorruptItem) as e:
        raise CorruptItem(f"the domain {host} cannot be read: {type(e).__name__} {e}") from e
    wrong = "host" if domain.host != host else first_invalid_field(domain)
    if wrong:
        raise CorruptItem(f"the domain {host} has a {wrong!r} that cannot be read")
    return domain


def stage_from_item(domain_item: Item) -> DomainStage:
    """No more of it than where the domain stands. Raises MalformedItem."""
    values = _parse_json_values(domain_item)
    stage = values.get("stage") if isinstance(values, dict) else None
    if not _is_stage(stage):
        raise CorruptItem(f"the domain {_get_host(domain_item)} has a 'stage' that cannot be read")
    return cast("DomainStage", stage)


def claim_from_item(claim_item: Item) -> tuple[WorkspaceId, str, datetime]:
    """Whose a host is, and when it is to be checked. Raises MalformedItem, naming the host."""
    host = _get_host(claim_item)
    try:
        return (
            WorkspaceId(attributes.get_text(claim_item, "workspace")),
            host,
            parse_aware_time(attributes.get_text(claim_item, "due")),
        )
    except (ValueError, CorruptItem) as e:
        raise CorruptItem(f"the claim of {host}: {e}") from e


def _get_host(stored_item: Item) -> str:
    return attributes.get_text(stored_item, "sk").removeprefix("D#")


def _parse_json_values(stored_item: Item) -> Any:  # noqa: ANN401 - JSON of whatever kind
    try:
        return json.loads(attributes.get_text(stored_item, "domain"))
    except (ValueError, RecursionError) as e:
        raise CorruptItem(f"the domain {_get_host(stored_item)} is not JSON") from e


def _format_time(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not kept with a domain")
    return value.isoformat()

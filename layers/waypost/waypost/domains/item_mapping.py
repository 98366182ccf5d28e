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
from waypost.domains.check_results import Caa, Dns, Findings, Hsts, Probe
from waypost.domains.model import Certificate, Change, Sending, Stage, TrackingDomain
from waypost.errors import MalformedItem
from waypost.ids import WorkspaceCode
from waypost.models import attributes
from waypost.models.attributes import Item, check_of, checks, misfit
from waypost.models.workspace import workspace_partition

_Part = TypeVar("_Part", Dns, Probe, Hsts, Caa)


def domain_of(values: Mapping[str, Any], version: int) -> TrackingDomain:
    """A domain of the values that its text has; keys of newer versions are ignored.

    Raises LookupError, TypeError, ValueError or AttributeError where they are no domain's, but says
    nothing of the kinds of single values.
    """
    return TrackingDomain(
        workspace=WorkspaceCode(values["workspace"]),
        workspace_name=values["workspace_name"],
        host=values["host"],
        sending=_sending(values["sending"]),
        proof=values["proof"],
        added=at(values["added"]),
        role=values.get("role", "links"),
        use=values["use"],
        stage=values["stage"],
        since=at(values["since"]),
        failures=values["failures"],
        proven=values["proven"],
        findings=_findings(values["findings"]),
        lit=tuple((name, colour, at(since)) for name, colour, since in _list(values["lit"])),
        certificate=Certificate(
            values["certificate"]["status"],
            _time(values["certificate"]["requested"]),
            values["certificate"]["problem"],
        ),
        app_links=AppLinks.from_stored(values["app_links"]),
        checked=_time(values["checked"]),
        due=at(values["due"]),
        history=tuple(_change(change) for change in _list(values["history"])),
        version=version,
    )


def _sending(values: Mapping[str, Any]) -> Sending:
    return Sending(
        values["domain"],
        verified=values["verified"],
        by_operator=values["by_operator"],
        since=_time(values["since"]),
        asked=_time(values.get("asked")),
    )


def _findings(values: Mapping[str, Any] | None) -> Findings | None:
    if values is None:
        return None
    return Findings(
        dns=_part(Dns, values["dns"]),
        http=_part(Probe, values["http"]),
        https=_part(Probe, values["https"]),
        hsts=_part(Hsts, values["hsts"]),
        caa=_part(Caa, values["caa"]),
    )


def _part(kind: type[_Part], values: Mapping[str, Any]) -> _Part:
    """What was found of one kind, its lists as they are held; without keys of newer versions."""
    held = {n: values[n] for n in checks(kind) if n in values}
    lists: dict[str, Any] = {n: tuple(v) for n, v in held.items() if isinstance(v, list)}
    return kind(**held | lists)


def _list(values: object) -> Sequence[Any]:
    if not isinstance(values, list):
        raise TypeError("no list where there has to be one")
    return values


def _change(values: Mapping[str, str]) -> Change:
    return Change(at(values["at"]), values["before"], values["after"], values["reason"])


def at(text: str) -> datetime:
    """A time with its zone. Raises TypeError or ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("a time without its zone")
    return time


def _time(text: str | None) -> datetime | None:
    return None if text is None else at(text)


CLAIMS: Final = "D"
_IS_STAGE: Final = check_of(Stage)


def domain_key(workspace: WorkspaceCode, host: str) -> Item:
    return attributes.item({"pk": workspace_partition(workspace), "sk": f"D#{host}"})


def claim_key(host: str) -> Item:
    return attributes.item({"pk": CLAIMS, "sk": f"D#{host}"})


def to_item(domain: TrackingDomain) -> Item:
    """The domain's own item."""
    values = asdict(domain) | {"app_links": domain.app_links.stored()}
    del values["version"]
    text = json.dumps(values, default=_time_text, ensure_ascii=False)
    kept = attributes.item({"domain": text, "version": domain.version})
    return domain_key(domain.workspace, domain.host) | kept


def to_claim(domain: TrackingDomain) -> Item:
    """The item that takes the host."""
    kept = attributes.item({"workspace": domain.workspace, "due": _time_text(domain.due)})
    return claim_key(domain.host) | kept


def from_item(stored: Item) -> TrackingDomain:
    """Read what ``to_item`` gave; keys of newer versions are ignored.

    Raises MalformedItem, naming the host, and the field where it is one.
    """
    host = _host(stored)
    try:
        domain = domain_of(_values(stored), attributes.number(stored, "version"))
    except (LookupError, TypeError, ValueError, AttributeError, MalformedItem) as e:
        raise MalformedItem(f"the domain {host} cannot be read: {type(e).__name__} {e}") from e
    wrong = "host" if domain.host != host else misfit(domain)
    if wrong:
        raise MalformedItem(f"the domain {host} has a {wrong!r} that cannot be read")
    return domain


def stage_of(stored: Item) -> Stage:
    """No more of it than where the domain stands. Raises MalformedItem."""
    values = _values(stored)
    stage = values.get("stage") if isinstance(values, dict) else None
    if not _IS_STAGE(stage):
        raise MalformedItem(f"the domain {_host(stored)} has a 'stage' that cannot be read")
    return cast("Stage", stage)


def from_claim(stored: Item) -> tuple[WorkspaceCode, str, datetime]:
    """Whose a host is, and when it is to be checked. Raises MalformedItem, naming the host."""
    host = _host(stored)
    try:
        return (
            WorkspaceCode(attributes.text(stored, "workspace")),
            host,
            at(attributes.text(stored, "due")),
        )
    except (ValueError, MalformedItem) as e:
        raise MalformedItem(f"the claim of {host}: {e}") from e


def _host(stored: Item) -> str:
    return attributes.text(stored, "sk").removeprefix("D#")


def _values(stored: Item) -> Any:  # noqa: ANN401 - JSON of whatever kind
    try:
        return json.loads(attributes.text(stored, "domain"))
    except (ValueError, RecursionError) as e:
        raise MalformedItem(f"the domain {_host(stored)} is not JSON") from e


def _time_text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not kept with a domain")
    return value.isoformat()

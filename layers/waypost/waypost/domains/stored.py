"""How a tracking domain is kept: its keys, and its parts as one JSON text.

    pk                sk          what
    W#{workspace}     D#{host}    the domain itself, with the version that conditional writes need
    D                 D#{host}    that the host is taken, by whom, and when it is to be checked

The second is what makes a host one workspace's alone, finds a domain by its host, and lists what
is due; an account has room for 10,000 tenants, which one partition holds easily.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from waypost.codes import WorkspaceCode
from waypost.domains.app_links import AppLinks
from waypost.domains.domain import Certificate, Change, Sending, TrackingDomain
from waypost.domains.findings import Caa, Dns, Findings, Hsts, Probe
from waypost.model import item
from waypost.model.item import Item
from waypost.model.workspace import workspace_partition

CLAIMS: Final = "D"


def domain_key(workspace: WorkspaceCode, host: str) -> Item:
    return item.item({"pk": workspace_partition(workspace), "sk": f"D#{host}"})


def claim_key(host: str) -> Item:
    return item.item({"pk": CLAIMS, "sk": f"D#{host}"})


def to_item(domain: TrackingDomain) -> Item:
    """The domain's own item."""
    values = asdict(domain) | {"app_links": domain.app_links.stored()}
    del values["version"]
    text = json.dumps(values, default=_time_text, ensure_ascii=False)
    kept = item.item({"domain": text, "version": domain.version})
    return domain_key(domain.workspace, domain.host) | kept


def to_claim(domain: TrackingDomain) -> Item:
    """The item that takes the host."""
    kept = item.item({"workspace": domain.workspace, "due": _time_text(domain.due)})
    return claim_key(domain.host) | kept


def from_item(stored: Item) -> TrackingDomain:
    """Read what ``to_item`` gave; keys of newer versions are ignored."""
    values: dict[str, Any] = json.loads(item.text(stored, "domain"))
    return TrackingDomain(
        workspace=WorkspaceCode(values["workspace"]),
        workspace_name=values["workspace_name"],
        host=values["host"],
        sending=_sending(values["sending"]),
        proof=values["proof"],
        added=_at(values["added"]),
        role=values.get("role", "links"),
        use=values["use"],
        stage=values["stage"],
        since=_at(values["since"]),
        failures=values["failures"],
        proven=values["proven"],
        findings=_findings(values["findings"]),
        lit=tuple((name, colour, _at(since)) for name, colour, since in values["lit"]),
        certificate=Certificate(
            values["certificate"]["status"],
            _time(values["certificate"]["requested"]),
            values["certificate"]["problem"],
        ),
        app_links=AppLinks.from_stored(values["app_links"]),
        checked=_time(values["checked"]),
        due=_at(values["due"]),
        history=tuple(_change(change) for change in values["history"]),
        version=item.number(stored, "version"),
    )


def from_claim(stored: Item) -> tuple[WorkspaceCode, str, datetime]:
    """Whose a host is, and when it is to be checked."""
    host = item.text(stored, "sk").removeprefix("D#")
    due = _at(item.text(stored, "due"))
    return WorkspaceCode(item.text(stored, "workspace")), host, due


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
    dns, caa = values["dns"], values["caa"]
    lists = {"chain": tuple(dns["chain"]), "addresses": tuple(dns["addresses"])}
    return Findings(
        dns=Dns(**dns | lists),
        http=Probe(**values["http"]),
        https=Probe(**values["https"]),
        hsts=Hsts(**values["hsts"]),
        caa=Caa(**caa | {"issuers": tuple(caa["issuers"])}),
    )


def _change(values: Mapping[str, str]) -> Change:
    return Change(_at(values["at"]), values["before"], values["after"], values["reason"])


def _time_text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is not kept with a domain")
    return value.isoformat()


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time(text: str | None) -> datetime | None:
    return None if text is None else _at(text)

"""How a tracking domain is kept: its keys, and its parts as one JSON text.

    pk                sk          what
    W#{workspace}     D#{host}    the domain itself, with the version that conditional writes need
    D                 D#{host}    that the host is taken, by whom, and when it is to be checked

The second is what makes a host one workspace's alone, finds a domain by its host, and lists what
is due; an account has room for 10,000 tenants, which one partition holds easily.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, cast

from waypost.domains.model import Stage, TrackingDomain
from waypost.domains.parts import at, domain_of
from waypost.errors import MalformedItem
from waypost.ids import WorkspaceCode
from waypost.model.fitting import check_of, misfit
from waypost.models import attributes
from waypost.models.attributes import Item
from waypost.models.workspace import workspace_partition

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

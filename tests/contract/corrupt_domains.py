"""Corrupt items of tracking domains, written past the repository."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes import InMemoryDomainRepository
from waypost.models import tracking_domain
from waypost.models.attributes import Item
from waypost.models.tracking_domain import TrackingDomain
from waypost.repositories.domains import DomainRepository
from waypost.repositories.dynamodb.domains import DynamoDomainRepository


def put_domain_item(repository: DomainRepository, stored_item: Item) -> None:
    """Write a raw item over any stored one."""
    if isinstance(repository, InMemoryDomainRepository):
        partition, host = (
            str(stored_item["pk"]["S"]),
            str(stored_item["sk"]["S"]).removeprefix("D#"),
        )
        if partition == tracking_domain.CLAIM_PARTITION:
            repository._claims[host] = stored_item
        else:
            repository._domains[partition.removeprefix("W#"), host] = stored_item  # type: ignore[index]
        return
    assert isinstance(repository, DynamoDomainRepository)
    repository._client.put_item(TableName=repository._table, Item=stored_item)


def corrupt_domain_item(domain: TrackingDomain, path: str, value: object) -> Item:
    """Build a domain's item with one value of its JSON replaced, or removed for None."""
    item = tracking_domain.domain_to_item(domain)
    values: Any = json.loads(str(item["domain"]["S"]))
    *outer, last = path.split(".")
    part = values
    for name in outer:
        part = part[int(name) if name.isdigit() else name]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return item | {"domain": {"S": json.dumps(values)}}

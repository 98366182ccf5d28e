"""Tracking domains in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from waypost.domains import item_mapping
from waypost.domains.model import Stage, TrackingDomain
from waypost.errors import Clash, Conflict
from waypost.ids import WorkspaceCode
from waypost.models import attributes
from waypost.models.workspace import workspace_partition
from waypost.repositories.domains import (
    due_first,
    oldest_first,
    read_domain,
    read_owner,
    read_stage,
)
from waypost.repositories.dynamodb.client import Answer, DynamoClient, pages, translated


class DynamoDomains:
    """``waypost.repositories.domains.DomainStore``. A domain and its claim are written in one
    transaction.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, domain: TrackingDomain) -> None:
        absent = {"TableName": self._table, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._transact(
                {"Put": absent | {"Item": item_mapping.to_claim(domain)}},
                {"Put": absent | {"Item": item_mapping.to_item(domain)}},
            )
        except Conflict as e:
            raise Clash("tracking domain", domain.host, "is taken already") from e

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        found = self._read(item_mapping.domain_key(workspace, host))
        return read_domain(found) if found else None

    def stage(self, workspace: WorkspaceCode, host: str) -> Stage | None:
        found = self._read(item_mapping.domain_key(workspace, host))
        return read_stage(found) if found else None

    def by_host(self, host: str) -> TrackingDomain | None:
        claim = self._read(item_mapping.claim_key(host))
        return self.get(read_owner(claim), host) if claim else None

    def of_workspace(self, workspace: WorkspaceCode) -> list[TrackingDomain]:
        return oldest_first(self._under(workspace_partition(workspace)))

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        saved = replace(domain, version=domain.version + 1)
        condition = self._unchanged(domain)
        self._transact(
            {"Put": condition | {"Item": item_mapping.to_item(saved)}},
            {"Put": {"TableName": self._table, "Item": item_mapping.to_claim(saved)}},
        )
        return saved

    def delete(self, domain: TrackingDomain) -> None:
        condition = self._unchanged(domain)
        key = item_mapping.domain_key(domain.workspace, domain.host)
        self._transact(
            {"Delete": condition | {"Key": key}},
            {"Delete": {"TableName": self._table, "Key": item_mapping.claim_key(domain.host)}},
        )

    def due(self, now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
        return due_first(self._under(item_mapping.CLAIMS), now, limit)

    def _under(self, partition: str) -> Iterator[attributes.Item]:
        return pages(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :hosts)",
            ExpressionAttributeValues=attributes.item({":pk": partition, ":hosts": "D#"}),
            ConsistentRead=True,
        )

    def _read(self, key: attributes.Item) -> attributes.Item | None:
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def _unchanged(self, domain: TrackingDomain) -> Answer:
        return {
            "TableName": self._table,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": attributes.item({":version": domain.version}),
        }

    def _transact(self, *actions: Answer) -> None:
        with translated():
            self._client.transact_write_items(TransactItems=list(actions))

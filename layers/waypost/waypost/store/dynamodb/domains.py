"""Tracking domains in DynamoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from waypost.codes import WorkspaceCode
from waypost.domains import stored
from waypost.domains.domain import TrackingDomain
from waypost.errors import Clash, Conflict
from waypost.model import item
from waypost.model.workspace import workspace_partition
from waypost.store.dynamodb.client import Answer, DynamoClient, pages, translated


class DynamoDomains:
    """``waypost.store.domains.DomainStore``. A domain and its claim are written in one
    transaction.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, domain: TrackingDomain) -> None:
        absent = {"TableName": self._table, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._transact(
                {"Put": absent | {"Item": stored.to_claim(domain)}},
                {"Put": absent | {"Item": stored.to_item(domain)}},
            )
        except Conflict as e:
            raise Clash("tracking domain", domain.host, "is taken already") from e

    def get(self, workspace: WorkspaceCode, host: str) -> TrackingDomain | None:
        found = self._read(stored.domain_key(workspace, host))
        return stored.from_item(found) if found else None

    def by_host(self, host: str) -> TrackingDomain | None:
        claim = self._read(stored.claim_key(host))
        return self.get(stored.from_claim(claim)[0], host) if claim else None

    def of_workspace(self, workspace: WorkspaceCode) -> list[TrackingDomain]:
        found = pages(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues=item.item(
                {":pk": workspace_partition(workspace), ":sk": "D#"}
            ),
            ConsistentRead=True,
        )
        return sorted(map(stored.from_item, found), key=lambda domain: (domain.added, domain.host))

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        saved = replace(domain, version=domain.version + 1)
        condition = self._unchanged(domain)
        self._transact(
            {"Put": condition | {"Item": stored.to_item(saved)}},
            {"Put": {"TableName": self._table, "Item": stored.to_claim(saved)}},
        )
        return saved

    def delete(self, domain: TrackingDomain) -> None:
        condition = self._unchanged(domain)
        key = stored.domain_key(domain.workspace, domain.host)
        self._transact(
            {"Delete": condition | {"Key": key}},
            {"Delete": {"TableName": self._table, "Key": stored.claim_key(domain.host)}},
        )

    def due(self, now: datetime, limit: int) -> list[tuple[WorkspaceCode, str]]:
        found = pages(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues=item.item({":pk": stored.CLAIMS}),
            ConsistentRead=True,
        )
        claims = [stored.from_claim(claim) for claim in found]
        waiting = sorted((due, host, code) for code, host, due in claims if due <= now)
        return [(code, host) for _, host, code in waiting[:limit]]

    def _read(self, key: item.Item) -> item.Item | None:
        with translated():
            answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def _unchanged(self, domain: TrackingDomain) -> Answer:
        return {
            "TableName": self._table,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": item.item({":version": domain.version}),
        }

    def _transact(self, *actions: Answer) -> None:
        with translated():
            self._client.transact_write_items(TransactItems=list(actions))

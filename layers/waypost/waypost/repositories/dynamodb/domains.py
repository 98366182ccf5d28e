"""Tracking domains in DynamoDB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from waypost.errors import AlreadyExists, WriteConflict
from waypost.ids import WorkspaceId
from waypost.models import attributes, tracking_domain
from waypost.models.tracking_domain import DomainStage, TrackingDomain
from waypost.models.workspace import workspace_partition
from waypost.repositories.domains import (
    parse_claim_owner,
    parse_claims,
    parse_domain,
    parse_domains,
    parse_stage,
    select_due,
)
from waypost.repositories.dynamodb.client import (
    DynamoClient,
    DynamoResponse,
    batch_get,
    query_all,
    translate_dynamo_errors,
)


class DynamoDomainRepository:
    """``waypost.repositories.domains.DomainRepository``. A domain and its claim are written in
    one transaction.
    """

    def __init__(self, client: DynamoClient, table: str) -> None:
        self._client = client
        self._table = table

    def add(self, domain: TrackingDomain) -> None:
        absent = {"TableName": self._table, "ConditionExpression": "attribute_not_exists(pk)"}
        try:
            self._transact(
                {"Put": absent | {"Item": tracking_domain.claim_to_item(domain)}},
                {"Put": absent | {"Item": tracking_domain.domain_to_item(domain)}},
            )
        except WriteConflict as e:
            raise AlreadyExists("tracking domain", domain.host, "is taken already") from e

    def get(self, workspace: WorkspaceId, host: str) -> TrackingDomain | None:
        item = self._load_item(tracking_domain.build_domain_key(workspace, host))
        return parse_domain(item) if item else None

    def get_stage(self, workspace: WorkspaceId, host: str) -> DomainStage | None:
        item = self._load_item(tracking_domain.build_domain_key(workspace, host))
        return parse_stage(item) if item else None

    def get_by_host(self, host: str) -> TrackingDomain | None:
        claim = self._load_item(tracking_domain.build_claim_key(host))
        return self.get(parse_claim_owner(claim), host) if claim else None

    def list_by_workspace(self, workspace: WorkspaceId) -> list[TrackingDomain]:
        return parse_domains(self._query_hosts(workspace_partition(workspace)))

    def list_all(self) -> list[TrackingDomain]:
        claims = self._query_hosts(tracking_domain.CLAIM_PARTITION)
        keys = [
            tracking_domain.build_domain_key(workspace, host)
            for workspace, host, _ in parse_claims(claims)
        ]
        return parse_domains(batch_get(self._client, self._table, keys))

    def save(self, domain: TrackingDomain) -> TrackingDomain:
        saved = replace(domain, version=domain.version + 1)
        condition = self._version_condition(domain)
        self._transact(
            {"Put": condition | {"Item": tracking_domain.domain_to_item(saved)}},
            {"Put": {"TableName": self._table, "Item": tracking_domain.claim_to_item(saved)}},
        )
        return saved

    def delete(self, domain: TrackingDomain) -> None:
        condition = self._version_condition(domain)
        key = tracking_domain.build_domain_key(domain.workspace, domain.host)
        self._transact(
            {"Delete": condition | {"Key": key}},
            {
                "Delete": {
                    "TableName": self._table,
                    "Key": tracking_domain.build_claim_key(domain.host),
                }
            },
        )

    def list_due(self, now: datetime, limit: int) -> list[tuple[WorkspaceId, str]]:
        return select_due(self._query_hosts(tracking_domain.CLAIM_PARTITION), now, limit)

    def _query_hosts(self, partition: str) -> Iterator[attributes.Item]:
        return query_all(
            self._client,
            self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :hosts)",
            ExpressionAttributeValues=attributes.build_item({":pk": partition, ":hosts": "D#"}),
            ConsistentRead=True,
        )

    def _load_item(self, key: attributes.Item) -> attributes.Item | None:
        with translate_dynamo_errors():
            response = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return response.get("Item")

    def _version_condition(self, domain: TrackingDomain) -> DynamoResponse:
        return {
            "TableName": self._table,
            "ConditionExpression": "version = :version",
            "ExpressionAttributeValues": attributes.build_item({":version": domain.version}),
        }

    def _transact(self, *actions: DynamoResponse) -> None:
        with translate_dynamo_errors():
            self._client.transact_write_items(TransactItems=list(actions))

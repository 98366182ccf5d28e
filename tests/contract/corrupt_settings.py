"""Corrupt settings, as an operator, a failed restore or a newer version may leave them."""

from __future__ import annotations

from tests.fakes import InMemoryWorkspaceRepository
from waypost.ids import WorkspaceId
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaceRepository
from waypost.repositories.workspaces import WorkspaceRepository

CORRUPT_SETTINGS = {
    "machine_threshold": '{"machine_threshold": "x"}',
    "cio_id": '{"cio_id": "false"}',
    "track_opens": '{"track_opens": 1}',
    "url_params": '{"url_params": ["utm_source", "mail"]}',
    "shorten": '{"shorten": {"sms": "true"}}',
    "short_link_days": '{"short_link_days": true}',
    "retention_days": '{"retention_days": 1000000000}',
    "ip": '{"ip": "hashed"}',
    "secret_links": '{"secret_links": ["warn"]}',
    "schemes": '{"schemes": "myapp"}',
    "never_track": '{"never_track": [7]}',
    "signed_params": '{"signed_params": "chk"}',
    "events": '{"events": null}',
}
"""Stored settings, by the one field that cannot be read."""


def store_settings_text(
    repository: WorkspaceRepository, code: WorkspaceId, name: str, text: str
) -> None:
    """Leave this text where the settings of a workspace are, saved once."""
    if isinstance(repository, InMemoryWorkspaceRepository):
        repository._settings[code] = (name, text, 1)
        return
    assert isinstance(repository, DynamoWorkspaceRepository)
    repository._client.put_item(
        TableName=repository._table,
        Item={
            "pk": {"S": f"W#{code}"},
            "sk": {"S": "W"},
            "name": {"S": name},
            "settings": {"S": text},
            "version": {"N": "1"},
        },
    )

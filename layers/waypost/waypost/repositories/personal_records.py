"""Interface to records of data that was stored for one person alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from waypost.ids import WorkspaceId
from waypost.models.campaign import PersonalRecord
from waypost.repositories.pagination import Page

PERSONAL_RECORD_SORT_KEY_PATTERN: Final = re.compile(r"[0-9a-f]{18}#[0-9a-f]{16}", re.ASCII)
"""Sort keys of records, which their cursors name."""


class PersonalRecordRepository(Protocol):
    """Records of people. All methods raise StoreUnavailable."""

    def add(self, records: Sequence[PersonalRecord]) -> None:
        """Store records. All are stored when it returns. Safe to repeat."""
        ...

    def list_by_recipient(
        self, workspace: WorkspaceId, recipient: str, *, cursor: str | None, limit: int
    ) -> Page[PersonalRecord]:
        """Return a page of a recipient's readable records, read consistently. Raises InvalidRequest
        for an invalid cursor.
        """
        ...

    def delete(self, record: PersonalRecord) -> None:
        """Delete a record. Safe to repeat."""
        ...

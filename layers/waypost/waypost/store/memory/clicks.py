"""The ledger in memory."""

from __future__ import annotations

from collections.abc import Iterator

from waypost.ids import CampaignCode, WorkspaceCode
from waypost.model.times import rfc3339
from waypost.models.click import Click, ledger_key
from waypost.repositories.clicks import CLICK_PLACES
from waypost.repositories.pagination import Page, read_place, write_cursor

_Key = tuple[str, str]


class MemoryClicks:
    """``waypost.store.clicks.ClickStore``. ``inserted`` is its stream: new clicks in order."""

    def __init__(self) -> None:
        self._clicks: dict[_Key, Click] = {}
        self.inserted: list[Click] = []

    def record(self, click: Click) -> bool:
        if _click_key(click) in self._clicks:
            return False
        self._insert(click)
        return True

    def anonymise(self, click: Click, anonymous: Click) -> None:
        if _click_key(anonymous) not in self._clicks:
            self._insert(anonymous)
        self._clicks.pop(_click_key(click), None)

    def of_person(
        self, workspace: WorkspaceCode, person: str, *, cursor: str | None, limit: int
    ) -> Page[Click]:
        partition = ledger_key(workspace, f"p:{person}")
        before = read_place(cursor, CLICK_PLACES) if cursor is not None else "~"
        keys = sorted(k for k in self._clicks if k[0] == partition and k[1] < before)[::-1]
        clicks = [self._clicks[key] for key in keys[:limit]]
        return Page(clicks, write_cursor(keys[limit - 1][1]) if len(keys) > limit else None)

    def of_campaign(self, campaign: CampaignCode) -> Iterator[Click]:
        return (c for c in list(self._clicks.values()) if c.campaign == campaign)

    def _insert(self, click: Click) -> None:
        self._clicks[_click_key(click)] = click
        self.inserted.append(click)


def _click_key(click: Click) -> _Key:
    return ledger_key(click.workspace, click.recipient), f"{rfc3339(click.time)}#{click.id}"

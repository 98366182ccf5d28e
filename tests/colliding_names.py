"""Names of workspaces with one id, found by trying 2^32 names: ids have 32 bits and no key."""

from __future__ import annotations

from typing import Final

from waypost.ids import derive_workspace_id

OWNER: Final = "wonka"
"""The workspace that wrote first."""
COLLIDING: Final = "w0340321507"
"""Another name with the same id."""

if derive_workspace_id(OWNER) != derive_workspace_id(COLLIDING):
    raise AssertionError(f"{COLLIDING!r} does not have the id of {OWNER!r}")

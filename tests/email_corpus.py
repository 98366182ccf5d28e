"""Real e-mails of the folder in WAYPOST_EMAIL_CORPUS; none if it is not set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

_FOLDER: Final = os.environ.get("WAYPOST_EMAIL_CORPUS")

EMAILS: Final = sorted(Path(_FOLDER).rglob("*.htm*")) if _FOLDER else []

requires_emails = pytest.mark.skipif(
    not EMAILS, reason="no real e-mails; set WAYPOST_EMAIL_CORPUS to their folder"
)

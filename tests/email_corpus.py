"""Real e-mails to try things on, of the folder that WAYPOST_EMAIL_CORPUS names, if it does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

_FOLDER: Final = os.environ.get("WAYPOST_EMAIL_CORPUS")

EMAILS: Final = sorted(Path(_FOLDER).rglob("*.htm*")) if _FOLDER else []

requires_emails = pytest.mark.skipif(
    not EMAILS, reason="there are no real e-mails here (WAYPOST_EMAIL_CORPUS names a folder)"
)

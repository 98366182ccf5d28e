"""Under which paths of a tracking host tokens stand; the template's routes are the same.

Links that were sent have them for ever, so they may be added to, never changed.
"""

from typing import Final

CLICKS: Final = "/e/c/"
PIXELS: Final = "/e/o/"
APP: Final = "/app"
"""Stands before the path of a link that an app may open."""

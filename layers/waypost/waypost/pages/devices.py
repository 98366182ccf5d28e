"""What a user agent says in words: the browser, and what it ran on."""

from __future__ import annotations

from typing import Final

_BROWSER_NAMES: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""By a part of the agent, the telling one first: nearly all claim to be Safari as well."""
_SYSTEM_NAMES: Final = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "Linux": "Linux",
}


def device(agent: str) -> str:
    """Such as ``Safari on iPhone``; empty where the agent is not a browser's that people know."""
    browser = next((name for part, name in _BROWSER_NAMES.items() if part in agent), None)
    system = next((name for part, name in _SYSTEM_NAMES.items() if part in agent), None)
    return f"{browser} on {system}" if browser and system else ""

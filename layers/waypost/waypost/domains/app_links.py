"""Which apps may open a domain's links: universal links (iOS) and app links (Android).

Both systems fetch a file from the domain, over HTTPS and without redirects, that names the apps
and, on iOS, the paths. Tracking links that an app should open have a path of their own,
``/app/e/c/…`` instead of ``/e/c/…``; all others stay with the browser. The app then asks for the
tracking URL itself, reads the destination from ``Location``, and with that the click counts. A
phone without the app opens the same URL in its browser, where it redirects as ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from waypost.responses import Response, json_response
from waypost.tokens import APP_PATH

APPLE_APP_LINKS_PATH: Final = "/.well-known/apple-app-site-association"
ANDROID_APP_LINKS_PATH: Final = "/.well-known/assetlinks.json"
APP_LINKS_MAX_AGE_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class AndroidApp:
    """A package and the SHA-256 fingerprints of the certificates that sign it."""

    package: str
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppLinks:
    """The apps of a domain. ``ios`` are application identifiers (``TEAM.bundle``); ``urls`` are
    patterns (``*`` stands for anything) of destinations that the apps can show.
    """

    ios: tuple[str, ...] = ()
    android: tuple[AndroidApp, ...] = ()
    urls: tuple[str, ...] = ()

    def can_open(self, destination: str) -> bool:
        """Whether a link to this destination should open in an app."""
        if not (self.ios or self.android):
            return False
        return any(_matches_pattern(pattern, destination) for pattern in self.urls)

    def get_path_prefix(self, destination: str) -> str:
        """What stands before the path of a tracking link to this destination."""
        return APP_PATH if self.can_open(destination) else ""

    def to_dict(self) -> dict[str, object]:
        """As plain values, for JSON and for the store."""
        return {
            "ios": list(self.ios),
            "android": [
                {"package": app.package, "fingerprints": list(app.fingerprints)}
                for app in self.android
            ],
            "urls": list(self.urls),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what ``stored`` gave. Raises TypeError or LookupError for anything else."""
        return cls(
            ios=_require_list(values.get("ios", [])),
            android=tuple(
                AndroidApp(app["package"], _require_list(app["fingerprints"]))
                for app in _require_list(values.get("android", []))
            ),
            urls=_require_list(values.get("urls", [])),
        )


def _require_list(value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise TypeError("no list where there has to be one")
    return tuple(value)


NO_APP_LINKS: Final = AppLinks()


def build_app_links_response(path: str, links: AppLinks) -> Response:
    """The file that Apple or Google asks for at ``path``; 404 where the host has no such app."""
    body = _build_apple_file(links) if path == APPLE_APP_LINKS_PATH else _build_android_file(links)
    if body is None:
        return json_response(404, {"title": "No app opens links of this host", "status": 404})
    response = json_response(200, body)
    response["headers"]["cache-control"] = f"public, max-age={APP_LINKS_MAX_AGE_SECONDS}"
    return response


def _build_apple_file(links: AppLinks) -> object:
    """``apple-app-site-association``: JSON, though the file's name does not end so."""
    if not links.ios:
        return None
    paths = [{"/": f"{APP_PATH}/*", "comment": "tracking links that the app opens"}]
    return {"applinks": {"details": [{"appIDs": list(links.ios), "components": paths}]}}


def _build_android_file(links: AppLinks) -> object:
    """``assetlinks.json``, statements of Digital Asset Links. Paths are the app's own affair."""
    if not links.android:
        return None
    return [
        {
            "relation": ["delegate_permission/common.handle_all_urls"],
            "target": {
                "namespace": "android_app",
                "package_name": app.package,
                "sha256_cert_fingerprints": list(app.fingerprints),
            },
        }
        for app in links.android
    ]


def _matches_pattern(pattern: str, destination: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), destination) is not None

"""Universal links (iOS) and app links (Android): which apps may open a domain's tracking links.

Both systems fetch a file from the domain, over HTTPS and without redirects. The file names the
apps and, on iOS, the paths. Tracking links for an app have the path ``/app/e/c/…`` instead of
``/e/c/…``; all other links stay in the browser. The app requests the tracking URL and reads the
destination from ``Location``, so the click counts. A phone without the app opens the same URL in
its browser, which redirects as usual.
"""

from __future__ import annotations

from typing import Final

from waypost.models.tracking_domain import AppLinks
from waypost.responses import Response, json_response
from waypost.tokens import APP_PATH
from waypost.urls import matches_url_pattern

APPLE_APP_LINKS_PATH: Final = "/.well-known/apple-app-site-association"
ANDROID_APP_LINKS_PATH: Final = "/.well-known/assetlinks.json"
APP_LINKS_MAX_AGE_SECONDS: Final = 3600


def can_open(app_links: AppLinks, destination: str) -> bool:
    """Return True if a link to this destination opens in an app."""
    if not (app_links.ios or app_links.android):
        return False
    return any(matches_url_pattern(destination, pattern) for pattern in app_links.urls)


def get_path_prefix(app_links: AppLinks, destination: str) -> str:
    """Return the prefix of a tracking link's path: ``/app`` if an app opens the destination."""
    return APP_PATH if can_open(app_links, destination) else ""


def build_app_links_response(path: str, links: AppLinks) -> Response:
    """Build the file that Apple or Google requests at ``path``; 404 if the host has no such app."""
    body = _build_apple_file(links) if path == APPLE_APP_LINKS_PATH else _build_android_file(links)
    if body is None:
        return json_response(404, {"title": "No app opens links of this host", "status": 404})
    response = json_response(200, body)
    response["headers"]["cache-control"] = f"public, max-age={APP_LINKS_MAX_AGE_SECONDS}"
    return response


def _build_apple_file(links: AppLinks) -> object:
    """Build ``apple-app-site-association``, a JSON file without the suffix."""
    if not links.ios:
        return None
    paths = [{"/": f"{APP_PATH}/*", "comment": "tracking links that the app opens"}]
    return {"applinks": {"details": [{"appIDs": list(links.ios), "components": paths}]}}


def _build_android_file(links: AppLinks) -> object:
    """Build ``assetlinks.json`` (Digital Asset Links). On Android, the app chooses the paths."""
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

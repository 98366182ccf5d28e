"""HTTP client of a stack, for the parts of sender, recipient and marketer."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3

BROWSER: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
)


@dataclass(frozen=True, slots=True)
class ClickResponse:
    """Status and redirect location of a click."""

    status: int
    location: str | None


class DemoClient:
    """A client of one stack."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def rewrite(self, message: dict[str, object]) -> dict[str, Any]:
        """Rewrite a message; return the rewritten deliveries."""
        return self.request("POST", "/v1/rewrite", message)

    def click(self, link: str, method: str = "GET") -> ClickResponse:
        """Request a tracking link as a phone does, without following the redirect."""
        url = self.base + urlsplit(link).path
        response = self._http.request(method, url, redirect=False, headers={"user-agent": BROWSER})
        return ClickResponse(response.status, response.headers.get("location"))

    def fetch_report(self, workspace: str, campaign: str) -> dict[str, Any]:
        """Fetch the campaign's report."""
        return self.request("GET", f"/v1/workspaces/{workspace}/campaigns/{campaign}")

    def wait_for_report(self, workspace: str, campaign: str, clicks: int) -> dict[str, Any]:
        """Fetch the report when that many clicks are counted, at the latest after 20 seconds."""
        deadline = time.monotonic() + 20
        while True:
            report = self.fetch_report(workspace, campaign)
            if report["clicks"]["total"] >= clicks or time.monotonic() > deadline:
                return report
            time.sleep(0.1)

    def create_share_link(
        self, workspace: str, campaign: str | None = None, *, people: bool = False
    ) -> str:
        """Create a share link to the report pages; return its URL."""
        body = {"people": people} | ({"campaign": campaign} if campaign else {})
        return str(self.request("POST", f"/v1/workspaces/{workspace}/shares", body)["url"])

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request; return the JSON response. Raises RuntimeError if not 2xx."""
        response = self._http.request(method, self.base + path, json=body)
        if not 200 <= response.status < 300:
            raise RuntimeError(f"{method} {path}: {response.status} {response.data.decode()}")
        value: dict[str, Any] = json.loads(response.data)
        return value

"""Waypost as a pipeline, a recipient and a marketer meet it: over HTTP, and in no other way."""

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
    """What a click got: the status, and where it was sent on to."""

    status: int
    location: str | None


class DemoClient:
    """One stack at one address."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def rewrite(self, message: dict[str, object]) -> dict[str, Any]:
        """What the rewrite function makes of a message."""
        return self.request("POST", "/v1/rewrite", message)

    def click(self, link: str, method: str = "GET") -> ClickResponse:
        """Follow a tracking link as a phone would, as far as the redirect."""
        url = self.base + urlsplit(link).path
        answer = self._http.request(method, url, redirect=False, headers={"user-agent": BROWSER})
        return ClickResponse(answer.status, answer.headers.get("location"))

    def fetch_report(self, workspace: str, campaign: str) -> dict[str, Any]:
        """The campaign's figures as they stand."""
        return self.request("GET", f"/v1/workspaces/{workspace}/campaigns/{campaign}")

    def wait_for_report(self, workspace: str, campaign: str, clicks: int) -> dict[str, Any]:
        """The figures once that many clicks are counted, or after 20 seconds as they stand."""
        deadline = time.monotonic() + 20
        while True:
            report = self.fetch_report(workspace, campaign)
            if report["clicks"]["total"] >= clicks or time.monotonic() > deadline:
                return report
            time.sleep(0.1)

    def create_share_link(
        self, workspace: str, campaign: str | None = None, *, people: bool = False
    ) -> str:
        """The address of a share link to the report pages."""
        body = {"people": people} | ({"campaign": campaign} if campaign else {})
        return str(self.request("POST", f"/v1/workspaces/{workspace}/shares", body)["url"])

    def request(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """What a route answers. Raises RuntimeError for anything but success."""
        answer = self._http.request(method, self.base + path, json=body)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data.decode()}")
        value: dict[str, Any] = json.loads(answer.data)
        return value

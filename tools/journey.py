"""The steps of ``tools.smoke``: what a pipeline, a recipient, a marketer and an operator do.

Each step asks over HTTP alone, and returns what it saw as a phrase. It raises Failed where that is
not what it ought to be, and Skipped where it cannot be tried.
"""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import urllib3

from tools.management import Api
from waypost.domains.model import STACK_WORKSPACE_NAME

WORKSPACE: Final = "smoke"
URL: Final = "https://example.com/sale%2Fa?q=x+y%20z&r=1#top"
LEFT: Final = "https://example.com/unsubscribe"
BROWSER: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Safari/605.1.15"
)
_FOLDER: Final = f"/v1/workspaces/{WORKSPACE}"
_LINK: Final = re.compile(r"https?://[^\s\"<>]+/e/[co]/[\w-]+/[\w-]+")


class Failed(Exception):
    """A step saw something else than it ought to have; says what."""


class Skipped(Exception):
    """A step cannot be tried here; says why."""


@dataclass(slots=True)
class Journey:
    """One journey through one stack; later steps need the link that the first one makes.

    ``patience`` in seconds: how long counting may take.
    """

    api: Api
    http: urllib3.PoolManager
    name: str
    patience: float
    link: str = ""
    pixel: str = ""

    def rewrite(self) -> str:
        answer = self.api.ask("POST", "/v1/rewrite", self._message())
        sent = html.unescape(answer["deliveries"][0]["content"]["html"])
        found = _LINK.findall(sent)
        _expect(len(found), 2, "tracking links and pixels")
        self.link, self.pixel = found
        _expect(LEFT in sent, True, "that an untracked link stays")
        return self.link.partition("/e/c/")[0]

    def click(self) -> str:
        answer = self._follow("GET")
        _expect(answer.status, 302, "the status")
        _expect(answer.headers.get("location"), URL, "the destination")
        _expect("no-store" in answer.headers.get("cache-control", ""), True, "no-store")
        return f"302 to {URL}"

    def head(self) -> str:
        _expect(self._follow("HEAD").status, 302, "the status")
        return "302, as link checkers ask"

    def open(self) -> str:
        answer = self._get(self.pixel)
        _expect((answer.status, answer.headers.get("content-type")), (200, "image/gif"), "a pixel")
        return "the pixel is a GIF"

    def forged(self) -> str:
        payload, _, signature = self._needed(self.link).rpartition("/")
        other = ("B" if signature[0] == "A" else "A") + signature[1:]
        answer = self._get(f"{payload}/{other}")
        _expect(answer.status, 404, "the status")
        _expect(answer.headers.get("location"), None, "the destination")
        return "404, and no redirect"

    def report(self) -> str:
        began = time.monotonic()
        path = f"{_FOLDER}/campaigns/{quote(self.name)}"
        while (figures := self.api.ask("GET", path))["clicks"]["total"] < 1:
            if time.monotonic() - began > self.patience:
                raise Failed(f"no click is counted after {self.patience:.0f} s")
            time.sleep(0.5)
        clicks = figures["clicks"]
        seen = (figures["deliveries"], figures["clicked"], clicks["total"], clicks["unique"])
        _expect(seen, (1, 1, 1, 1), "deliveries, clicked, total and unique clicks")
        return f"1 click of 1 delivery, counted within {time.monotonic() - began:.0f} s"

    def activity(self) -> str:
        path = f"{_FOLDER}/people/{quote(self.name)}/activity"
        urls = [click["url"] for click in self.api.ask("GET", path)["clicks"]]
        _expect(urls, [URL], "what the person clicked")
        return "the ledger has the click"

    def names(self) -> str:
        """A person's name may hold any character, and is somebody else's without it."""
        path, other = (
            f"{_FOLDER}/people/{quote(self.name + rest, safe='')}/opt-out"
            for rest in ("/a?b%2Fc d", "/a")
        )
        self.api.ask("PUT", path)
        try:
            _expect(self.api.ask("GET", path)["opted_out"], True, "whether the person opted out")
            _expect(self.api.ask("GET", other)["opted_out"], False, "whether another one did")
        finally:
            self.api.ask("DELETE", path)
        return "a name with a slash, a question mark and percent signs is told from others"

    def pages(self) -> str:
        body = {"campaign": self.name, "hours": 1, "people": False}
        share: str = self.api.ask("POST", f"{_FOLDER}/shares", body)["url"]
        _expect(self._get(share).status < 400, True, "that the share link opens")
        return share.partition("/reports/")[0]

    def signature(self) -> str:
        if self.api.region is None:
            raise Skipped("an embedded stack asks for no signature")
        answer = self._get(f"{self.api.address}{_FOLDER}/settings")
        _expect(answer.status, 403, "the status without a signature")
        return "403 without one"

    def domain(self) -> str:
        """A host that cannot be: its check finds no DNS, and it goes again."""
        host = f"links.{self.name}.example"
        self.api.ask("POST", f"{_FOLDER}/domains", {"host": host})
        try:
            checked = self.api.ask("POST", f"{_FOLDER}/domains/{host}/verify")
            _expect(checked["lights"]["dns"]["colour"], "red", "the light of DNS")
            shown = self.api.ask("GET", f"{_FOLDER}/domains/{host}")
            _expect(shown["checked"], checked["checked"], "when it was checked")
        finally:
            self.api.ask("DELETE", f"{_FOLDER}/domains/{host}")
            gone = self.api.ask("POST", f"{_FOLDER}/domains/{host}/verify")
        _expect(gone["use"], "removed", "its use in the end")
        return f"checked: {checked['lights']['dns']['found']}"

    def default_host(self) -> str:
        domains = self.api.ask("GET", f"/v1/workspaces/{STACK_WORKSPACE_NAME}/domains")["domains"]
        if not domains:
            raise Skipped("the stack has no DefaultHost, or has not checked it yet")
        _expect(domains[0]["stage"], "https", f"the stage of {domains[0]['host']}")
        return f"{domains[0]['host']} serves HTTPS"

    def _message(self) -> dict[str, object]:
        content = f'<a href="{html.escape(URL)}">a</a> <a href="{LEFT}" class="untracked">b</a>'
        return {
            "workspace": WORKSPACE,
            "campaign": self.name,
            "kind": "transactional",
            "from": "smoke@example.com",
            "content": {"html": content},
            "url_params": False,
            "recipients": [{"delivery": self.name, "person": self.name, "data": {}}],
        }

    def _follow(self, method: str) -> urllib3.BaseHTTPResponse:
        return self._get(self._needed(self.link), method)

    def _get(self, url: str, method: str = "GET") -> urllib3.BaseHTTPResponse:
        headers = {"user-agent": BROWSER}
        return self.http.request(method, self._needed(url), headers=headers, redirect=False)

    @staticmethod
    def _needed(url: str) -> str:
        if not url:
            raise Skipped("there is no link to try")
        return url


STEPS: Final[Sequence[Callable[[Journey], str]]] = (
    Journey.rewrite,
    Journey.click,
    Journey.head,
    Journey.open,
    Journey.forged,
    Journey.report,
    Journey.activity,
    Journey.names,
    Journey.pages,
    Journey.signature,
    Journey.domain,
    Journey.default_host,
)


def _expect(seen: Any, wanted: Any, what: str) -> None:  # noqa: ANN401 - anything can be compared
    if seen != wanted:
        raise Failed(f"{what}: {seen!r} instead of {wanted!r}")

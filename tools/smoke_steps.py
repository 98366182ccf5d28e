"""Steps of the smoke test: one request each of a pipeline, recipient, marketer or operator.

A step uses HTTP only (``event`` also EventBridge and SQS), and returns its observation as a phrase.
It raises StepFailed if the observation is wrong, and StepSkipped if the stack cannot do it.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import urllib3

from tools.event_subscription import subscribe_to_clicks
from tools.management_api import ManagementApi
from tools.stack import DeployedStack, EmbeddedStackClient
from waypost.models.tracking_domain import STACK_WORKSPACE_NAME
from waypost.path_names import encode_path_name

WORKSPACE: Final = "smoke"
TRACKED_URL: Final = "https://example.com/sale%2Fa?q=x+y%20z&r=1#top"
UNTRACKED_URL: Final = "https://example.com/unsubscribe"
BROWSER: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Safari/605.1.15"
)
_FOLDER: Final = f"/v1/workspaces/{WORKSPACE}"
_LINK: Final = re.compile(r"https?://[^\s\"<>]+/e/[co]/[\w-]+/[\w-]+")
_SHORT_LINK: Final = re.compile(r"https?://\S+/s/\w+")
_POLLS_PER_CLICK: Final = 5  # a new rule may miss the first clicks
_Found = TypeVar("_Found")


class StepFailed(Exception):
    """A step observed a wrong value."""


class StepSkipped(Exception):
    """A step is impossible on this stack."""


@dataclass(slots=True)
class SmokeTest:
    """One run of the steps; later steps need the link from the first one.

    ``patience``: seconds that counting may take. ``find_stack`` returns None if only an address is
    known.
    """

    api: ManagementApi
    http: urllib3.PoolManager
    name: str
    patience: float
    find_stack: Callable[[], DeployedStack | EmbeddedStackClient | None] = lambda: None
    link: str = ""
    pixel: str = ""
    short_link: str = ""

    def rewrite(self) -> str:
        answer = self.api.request("POST", "/v1/rewrite", self._build_message())
        sent = html.unescape(answer["deliveries"][0]["content"]["html"])
        found = _LINK.findall(sent)
        _expect(len(found), 2, "tracking links and pixels")
        self.link, self.pixel = found
        _expect(UNTRACKED_URL in sent, True, "the untracked link is unchanged")
        return self.link.partition("/e/c/")[0]

    def click(self) -> str:
        answer = self._request_link("GET")
        _expect(answer.status, 302, "the status")
        _expect(answer.headers.get("location"), TRACKED_URL, "the destination")
        _expect("no-store" in answer.headers.get("cache-control", ""), True, "no-store")
        return f"302 to {TRACKED_URL}"

    def head(self) -> str:
        _expect(self._request_link("HEAD").status, 302, "the status")
        return "302 for link checkers"

    def open(self) -> str:
        answer = self._get(self.pixel)
        _expect((answer.status, answer.headers.get("content-type")), (200, "image/gif"), "a pixel")
        return "a GIF"

    def forgery(self) -> str:
        payload, _, signature = self._require_link(self.link).rpartition("/")
        other = ("B" if signature[0] == "A" else "A") + signature[1:]
        answer = self._get(f"{payload}/{other}")
        _expect(answer.status, 404, "the status")
        _expect(answer.headers.get("location"), None, "the destination")
        return "404, and no redirect"

    def report(self) -> str:
        began = time.monotonic()
        path = f"{_FOLDER}/campaigns/{encode_path_name(self.name)}"

        def load_counted() -> dict[str, Any] | None:
            figures: dict[str, Any] = self.api.request("GET", path)
            return figures if figures["clicks"]["total"] else None

        figures = self._wait_for(load_counted, 0.5, "no click is counted")
        clicks = figures["clicks"]
        seen = (figures["deliveries"], figures["clicked"], clicks["total"], clicks["unique"])
        _expect(seen, (1, 1, 1, 1), "deliveries, clicked, total and unique clicks")
        return f"1 click of 1 delivery, counted within {time.monotonic() - began:.0f} s"

    def activity(self) -> str:
        path = f"{_FOLDER}/people/{encode_path_name(self.name)}/activity"
        urls = [click["url"] for click in self.api.request("GET", path)["clicks"]]
        _expect(urls, [TRACKED_URL], "the person's clicks")
        return "the ledger has the click"

    def segment(self) -> str:
        """Download the people who clicked the link, in both formats."""
        campaign = f"{_FOLDER}/campaigns/{encode_path_name(self.name)}"
        links = self.api.request("GET", f"{campaign}/links")["links"]
        _expect(len(links), 1, "clicked links")
        people = f"{_FOLDER}/links/{links[0]['links'][0]}/people"
        rows = list(csv.DictReader(io.StringIO(self.api.download(f"{people}.csv"))))
        lines = [json.loads(line) for line in self.api.download(f"{people}.ndjson").splitlines()]
        found = [[row["person"] for row in rows], [line["person"] for line in lines]]
        _expect(found, [[self.name], [self.name]], "the people who clicked, as CSV and NDJSON")
        return "1 person clicked the link, as CSV and NDJSON"

    def names(self) -> str:
        """Names of people may contain any character, and differ by each."""
        names = [self.name + rest for rest in ("/a?b%2Fc d", "/a")]
        path, other = (f"{_FOLDER}/people/{encode_path_name(each)}/opt-out" for each in names)
        self.api.request("PUT", path)
        try:
            _expect(self.api.request("GET", path)["opted_out"], True, "the person's opt-out")
            _expect(self.api.request("GET", other)["opted_out"], False, "another person's opt-out")
        finally:
            self.api.request("DELETE", path, query={"person": names[0]})
        return "a slash, a question mark and percent signs belong to the name"

    def pages(self) -> str:
        """Open the share link as a browser does: with its cookie, to the first page."""
        body = {"campaign": self.name, "hours": 1, "people": False}
        share: str = self.api.request("POST", f"{_FOLDER}/shares", body)["url"]
        opened = self._get(share)
        _expect(opened.status, 303, "the share link's status")
        pages_url = share.partition("/reports/")[0]
        cookie = opened.headers["set-cookie"].partition(";")[0]
        page = self._get(pages_url + opened.headers["location"], {"cookie": cookie})
        _expect(page.status, 200, "the page's status")
        _expect(self.name in page.data.decode(), True, "the campaign's name is on the page")
        return pages_url

    def sms(self) -> str:
        """Send a text message, and follow its short link."""
        settings = {"shorten": {"sms": True}}
        self.api.request("PUT", f"{_FOLDER}/settings", settings)
        self.short_link = self._wait_for(self._send_sms, 1, "links of text messages stay long")
        answer = self._get(self.short_link)
        found = (answer.status, answer.headers.get("location"))
        _expect(found, (302, TRACKED_URL), "the status and destination of a short link")
        return self.short_link

    def event(self) -> str:
        """Subscribe to the event bus, and click until an event arrives."""
        stack = self.find_stack()
        if stack is None:
            raise StepSkipped("the event bus is unknown; give ENV instead of BASE")
        link, delivery = self._require_link(self.short_link), f"{self.name}-sms"
        polls = 0
        with subscribe_to_clicks(stack, f"{self.name}-event", delivery) as subscription:

            def find_event() -> dict[str, Any] | None:
                nonlocal polls
                if polls % _POLLS_PER_CLICK == 0:
                    self._get(link)
                polls += 1
                return next(iter(subscription.receive()), None)

            event = self._wait_for(find_event, 1, "no event of a click arrives")
        data = event["data"]
        seen = (event["metric"], data["customer_id"], data["href"])
        _expect(seen, ("clicked", self.name, TRACKED_URL), "the metric, person and destination")
        return f"{event['event_id']}, {data['verdict']['kind']}"

    def signature(self) -> str:
        if self.api.region is None:
            raise StepSkipped("an embedded stack needs no signature")
        answer = self._get(f"{self.api.address}{_FOLDER}/settings")
        _expect(answer.status, 403, "the status without a signature")
        return "403 without one"

    def domain(self) -> str:
        """Add a host without DNS, check it and remove it."""
        host = f"links.{self.name}.example"
        self.api.request("POST", f"{_FOLDER}/domains", {"host": host})
        try:
            checked = self.api.request("POST", f"{_FOLDER}/domains/{host}/verify")
            _expect(checked["lights"]["dns"]["colour"], "red", "the light of DNS")
            shown = self.api.request("GET", f"{_FOLDER}/domains/{host}")
            _expect(shown["checked"], checked["checked"], "the time of the check")
        finally:
            self.api.request("DELETE", f"{_FOLDER}/domains/{host}", query={"host": host})
            gone = self.api.request("POST", f"{_FOLDER}/domains/{host}/verify")
        _expect(gone["use"], "removed", "its use after the removal")
        return f"checked: {checked['lights']['dns']['found']}"

    def default_host(self) -> str:
        domains = self.api.request(
            "GET", f"/v1/workspaces/{encode_path_name(STACK_WORKSPACE_NAME)}/domains"
        )["domains"]
        if not domains:
            raise StepSkipped("the stack has no DefaultHost, or its check has not run yet")
        _expect(domains[0]["stage"], "https", f"the stage of {domains[0]['host']}")
        return f"{domains[0]['host']} serves HTTPS"

    def _build_message(self) -> dict[str, object]:
        content = (
            f'<a href="{html.escape(TRACKED_URL)}">a</a> '
            f'<a href="{UNTRACKED_URL}" class="untracked">b</a>'
        )
        return {
            "workspace": WORKSPACE,
            "campaign": self.name,
            "kind": "transactional",
            "from": "smoke@example.com",
            "content": {"html": content},
            "url_params": False,
            "recipients": [{"delivery": self.name, "person": self.name, "data": {}}],
        }

    def _send_sms(self) -> str | None:
        """Rewrite a text message; return its short link, or None if the link is not short."""
        name = f"{self.name}-sms"
        recipient = {"delivery": name, "person": self.name, "data": {}}
        message = {
            **self._build_message(),
            "campaign": name,
            "channel": "sms",
            "content": {"text": f"Sale: {TRACKED_URL} Reply STOP"},
            "recipients": [recipient],
        }
        answer = self.api.request("POST", "/v1/rewrite", message)
        found = _SHORT_LINK.search(answer["deliveries"][0]["content"]["text"])
        return found[0] if found else None

    def _wait_for(self, find: Callable[[], _Found | None], pause: float, problem: str) -> _Found:
        """Call ``find`` until it finds something, ``pause`` seconds apart.

        :raises StepFailed: with the problem, after ``patience`` seconds.
        """
        began = time.monotonic()
        while (found := find()) is None:
            if time.monotonic() - began > self.patience:
                raise StepFailed(f"{problem} after {self.patience:.0f} s")
            time.sleep(pause)
        return found

    def _request_link(self, method: str) -> urllib3.BaseHTTPResponse:
        return self._get(self._require_link(self.link), method=method)

    def _get(
        self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> urllib3.BaseHTTPResponse:
        sent = {"user-agent": BROWSER, **(headers or {})}
        return self.http.request(method, self._require_link(url), headers=sent, redirect=False)

    @staticmethod
    def _require_link(url: str) -> str:
        if not url:
            raise StepSkipped("the first step returned no link")
        return url


STEPS: Final[Sequence[Callable[[SmokeTest], str]]] = (
    SmokeTest.rewrite,
    SmokeTest.click,
    SmokeTest.head,
    SmokeTest.open,
    SmokeTest.forgery,
    SmokeTest.report,
    SmokeTest.activity,
    SmokeTest.segment,
    SmokeTest.names,
    SmokeTest.pages,
    SmokeTest.sms,
    SmokeTest.event,
    SmokeTest.signature,
    SmokeTest.domain,
    SmokeTest.default_host,
)


def _expect(actual: Any, expected: Any, subject: str) -> None:  # noqa: ANN401 - anything can be compared
    if actual != expected:
        raise StepFailed(f"{subject}: {actual!r} instead of {expected!r}")

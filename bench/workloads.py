"""The largest input of each function, within its limits."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeAlias

import urllib3

from local.stack import EmbeddedStack

MEGABYTE: Final = 1_000_000
BATCH_SIZE: Final = 500
EVENTS_FOLDER: Final = Path(__file__).parents[1] / "events"
_AGENT: Final = {
    "user-agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15"
}


def build_html(links: int, size: int, campaign: str = "x") -> str:
    """Build HTML with this number of links and about ``size`` characters."""
    room = size // links - 90
    parts = (
        f'<p>{"text " * (room // 5)}<a href="https://example.com/{campaign}/{n}?q=1">go</a></p>\r\n'
        for n in range(links)
    )
    return "".join(parts)


@dataclass(frozen=True)
class BenchStack:
    """An embedded stack, and the bucket of the rewrite function's files."""

    stack: EmbeddedStack
    bucket: str
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(timeout=300))

    def invoke(self, function: str, payload: object) -> Any:  # noqa: ANN401 - an answer's JSON
        """Invoke a function, and return its response.

        :raises RuntimeError: when it fails.
        """
        outcome = self.stack.invoke(function, payload)
        if outcome.error is not None:
            raise RuntimeError(f"{function}: {outcome.payload.decode()[:500]}")
        return json.loads(outcome.payload)

    def request(self, method: str, path: str, body: object = None, **headers: str) -> Any:  # noqa: ANN401
        """Send a request without following redirects.

        :raises RuntimeError: when the status is 400 or more.
        """
        address = path if path.startswith("http") else self.stack.url + path
        data = None if body is None else json.dumps(body).encode()
        given = _AGENT | {"content-type": "application/json"} | headers
        answer = self.http.request(method, address, body=data, headers=given, redirect=False)
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        return answer

    def build_message(self, content: str, recipients: int, **changes: object) -> dict[str, Any]:
        return {
            "workspace": "bench",
            "campaign": "heavy",
            "kind": "newsletter",
            "channel": "email",
            "from": "news@mail.example.com",
            "content": {"html": content},
            "recipients": [
                {"delivery": f"d{n}", "person": f"p{n}", "data": {}} for n in range(recipients)
            ],
        } | changes

    @cached_property
    def tracking_links(self) -> list[str]:
        """The tracking links of a message of one megabyte, which the reports below describe."""
        answer = self.invoke(
            "RewriteFunction", self.build_message(build_html(500, MEGABYTE - 50_000), 1)
        )
        return re.findall(
            r'href="([^"]+)"', html.unescape(answer["deliveries"][0]["content"]["html"])
        )

    @cached_property
    def share_cookie(self) -> str:
        """The cookie of a share that opens all of the workspace's pages."""
        share = self.request("POST", "/v1/workspaces/bench/shares", {"people": True})
        opened = self.request("GET", json.loads(share.data)["url"])
        return str(opened.headers["set-cookie"]).partition(";")[0]


Workload: TypeAlias = Callable[[BenchStack], object]


def click_once(bench: BenchStack) -> None:
    bench.request("GET", bench.tracking_links[0])


def click_many(bench: BenchStack) -> None:
    """Click 50 links and send a domain probe, so that every module is loaded."""
    for link in bench.tracking_links[:50]:
        bench.request("GET", link)
    bench.request("GET", "/.well-known/waypost/0123456789abcdef0123456789abcdef")


def rewrite_light(bench: BenchStack) -> None:
    bench.invoke("RewriteFunction", bench.build_message(build_html(1, 500), 1, campaign="light"))


def rewrite_template(bench: BenchStack) -> None:
    """Render a template of 1 MB with a loop over each recipient's data: a request of 6 MB."""
    text = "{% for item in trigger.items %}<i>{{ item }}</i>{% endfor %}"
    content = build_html(2_000, MEGABYTE - 50_000, "t").replace("{", "").replace("}", "")
    request = bench.build_message(
        content + text, 100, liquid=True, campaign="template", dry_run=False
    )
    for recipient in request["recipients"]:
        recipient["data"] = {
            "trigger": {"items": ["something of 45 characters, as it may well be"] * 1_000}
        }
    answer = bench.invoke("RewriteFunction", request)
    if answer.get("status") != 413:
        raise RuntimeError(f"rewrite: no 413 for a response of 100 MB: {str(answer)[:200]}")


def rewrite_many(bench: BenchStack) -> None:
    """Rewrite a message to a response of nearly 6 MB."""
    answer = bench.invoke("RewriteFunction", bench.build_message(build_html(40, 50_000, "m"), 100))
    if len(answer["deliveries"]) != 100:
        raise RuntimeError(f"rewrite: recipients are missing: {str(answer)[:200]}")


def rewrite_file(bench: BenchStack) -> None:
    """Rewrite 50 KB for 2,000 recipients, from a file into a file."""
    lines = (
        json.dumps({"delivery": f"f{n}", "person": f"p{n}", "data": {"n": n}}) for n in range(2_000)
    )
    s3: Any = bench.stack.cloud.client("s3")
    s3.put_object(Bucket=bench.bucket, Key="bench/in.jsonl", Body="\n".join(lines).encode())
    mail = bench.build_message(build_html(40, 50_000, "f"), 0, campaign="file")
    del mail["recipients"]
    url = f"s3://{bench.bucket}/bench"  # the workspace's folder
    where = {"input": f"{url}/in.jsonl", "output": f"{url}/out.jsonl"}
    answer = bench.invoke("RewriteFunction", where | {"message": mail})
    if answer.get("delivered") != 2_000:
        raise RuntimeError(f"rewrite: recipients are missing: {str(answer)[:300]}")


def build_stream_records(bench: BenchStack) -> list[Mapping[str, Any]]:
    """Build the stream records of a full batch, each click by another person."""
    dynamodb: Any = bench.stack.cloud.client("dynamodb")
    click_once(bench)
    bench.stack.wait_until_counted()
    (item, *_) = dynamodb.scan(TableName=bench.stack.ref("ClicksTable"))["Items"]
    records: list[Mapping[str, Any]] = []
    for n in range(BATCH_SIZE):
        image = item | {
            "pk": {"S": item["pk"]["S"].partition("#")[0] + f"#p:{n}"},
            "sk": {"S": f"{item['sk']['S']}{n}"},
            "id": {"S": f"{item['id']['S']}{n}"},
            "person": {"S": f"{n}"},
            "delivery": {"S": f"d-{n}"},
            "href": {"S": "https://example.com/" + "h" * 1_900},
        }
        keys = {"pk": image["pk"], "sk": image["sk"]}
        stream = {"Keys": keys, "NewImage": image, "SequenceNumber": str(n), "SizeBytes": 3_000}
        records.append({"eventID": str(n), "eventName": "INSERT", "dynamodb": stream})
    return records


def tally_one(bench: BenchStack) -> None:
    bench.invoke("TallyFunction", {"Records": build_stream_records(bench)[:1]})


def tally_batch(bench: BenchStack) -> None:
    answer = bench.invoke("TallyFunction", {"Records": build_stream_records(bench)})
    if answer["batchItemFailures"]:
        raise RuntimeError("tally: clicks failed")


def build_queue_record(number: int) -> dict[str, Any]:
    event = json.loads((EVENTS_FOLDER / "DrainFunction.Parked.json").read_text())
    record: dict[str, Any] = event["Records"][0]
    return record | {
        "messageId": str(number),
        "body": record["body"].replace("kBq9", f"k{number:03}"),
    }


def drain_one(bench: BenchStack) -> None:
    bench.invoke("DrainFunction", {"Records": [build_queue_record(0)]})


def drain_batch(bench: BenchStack) -> None:
    bench.invoke("DrainFunction", {"Records": [build_queue_record(n) for n in range(100)]})


def get_settings(bench: BenchStack) -> None:
    bench.request("GET", "/v1/workspaces/bench/settings")


def get_reports(bench: BenchStack) -> None:
    """Get the report of 500 links, and the API's description."""
    assert bench.tracking_links
    bench.request("GET", "/v1/workspaces/bench/campaigns/heavy")
    bench.request("GET", "/v1/openapi.json")


def get_page(bench: BenchStack) -> None:
    bench.request("GET", "/reports/settings?workspace=bench", cookie=bench.share_cookie)


def get_pages(bench: BenchStack) -> None:
    """Get the click map of a message of one megabyte, and the report of its 500 links."""
    assert bench.tracking_links
    where = "workspace=bench&campaign=heavy"
    for name in ("campaign", "map", "message"):
        bench.request("GET", f"/reports/{name}?{where}", cookie=bench.share_cookie)


def verify_no_domains(bench: BenchStack) -> None:
    bench.invoke("VerifyDomainsFunction", {"task": "due"})


def verify_domains(bench: BenchStack) -> None:
    for n in range(100):
        bench.request(
            "POST",
            f"/v1/workspaces/bench{n // 50}/domains",
            {"host": f"links{n}.customer{n}.example"},
        )
    answer = bench.invoke("VerifyDomainsFunction", {"task": "due"})
    if answer["checked"] != 100:
        raise RuntimeError(f"verify_domains: domains are missing: {answer}")


WORKLOADS: Final[tuple[tuple[str, str, Workload, Workload], ...]] = (
    ("RedirectFunction", "50 clicks and a probe", click_once, click_many),
    (
        "RewriteFunction",
        "a template of 1 MB, 100 recipients, 6 MB in all",
        rewrite_light,
        rewrite_template,
    ),
    ("RewriteFunction", "100 recipients, an answer of 5.5 MB", rewrite_light, rewrite_many),
    ("RewriteFunction", "a file of 2,000 recipients, 50 KB each", rewrite_light, rewrite_file),
    ("TallyFunction", "a batch of 500", tally_one, tally_batch),
    ("DrainFunction", "a batch of 100", drain_one, drain_batch),
    ("ApiFunction", "the report of 500 links", get_settings, get_reports),
    ("PagesFunction", "the click map of a message of 1 MB", get_page, get_pages),
    ("VerifyDomainsFunction", "100 domains at once", verify_no_domains, verify_domains),
)

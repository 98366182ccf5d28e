"""Each call of the API and of the pages, gone wrong in each way: the whole answer, or a 503 that
asks to come again; and what is written is written whole.

docs/faults.md lists the promises, and is what is run here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import pytest

from local.template import load
from tests import handlers
from tests.clicks import CAMPAIGN, NOON, click, link
from tests.faults.breaking import breaks
from tests.faults.checking import ROUNDS, SEED
from tests.faults.cloud import SECRET, Cloud, client
from tests.faults.promises import calls_of, unpromised
from tests.faults.ways import WAYS
from waypost.api.dependencies import Services
from waypost.domains.model import new_domain
from waypost.ids import workspace_code
from waypost.models.campaign import LinkDefinition, SentMessage
from waypost.reports.share_links import Scope, Sharer
from waypost.repositories.dynamodb.campaigns import DynamoCampaigns
from waypost.repositories.dynamodb.clicks import DynamoClicks
from waypost.repositories.dynamodb.domains import DynamoDomains
from waypost.repositories.dynamodb.messages import DynamoMessages
from waypost.repositories.dynamodb.recipients import DynamoRecipients
from waypost.repositories.dynamodb.workspaces import DynamoWorkspaces
from waypost.tally.service import Tally
from waypost.tokens.keyring import KeyList
from waypost.web.app import visits_of

ACME = workspace_code("acme")
WORKSPACE = "/v1/workspaces/{workspace}"
NAMES = {
    "workspace": "acme",
    "campaign": "spring-sale",
    "link": link("home"),
    "person": "p1",
    "host": "links.acme.com",
}
VOLATILE = frozenset({"salt", "since", "due", "version"})
Answer: TypeAlias = Mapping[str, Any]


class Ask(NamedTuple):
    """A request to the API. ``tables``: what it writes to; two or more, and it is done in steps,
    which go on when it is asked again.
    """

    route: str
    names: Mapping[str, str] = NAMES
    body: object = None
    tables: Collection[str] = ("workspaces",)


READS = [
    Ask(f"GET {WORKSPACE}/campaigns"),
    Ask(f"GET {WORKSPACE}/campaigns/{{campaign}}"),
    Ask(f"GET {WORKSPACE}/campaigns/{{campaign}}/links"),
    Ask(f"GET {WORKSPACE}/campaigns/{{campaign}}/series"),
    Ask(f"GET {WORKSPACE}/links/{{link}}/people"),
    Ask(f"GET {WORKSPACE}/links/{{link}}/people.csv"),
    Ask(f"GET {WORKSPACE}/links/{{link}}/people.ndjson"),
    Ask(f"GET {WORKSPACE}/people/{{person}}/activity"),
    Ask(f"GET {WORKSPACE}/people/{{person}}/opt-out"),
    Ask(f"GET {WORKSPACE}/settings"),
    Ask(f"GET {WORKSPACE}/domains"),
    Ask(f"GET {WORKSPACE}/domains/{{host}}"),
    Ask("GET /v1/openapi.json"),
]
WRITES = [
    Ask(f"PUT {WORKSPACE}/people/{{person}}/opt-out"),
    Ask(f"DELETE {WORKSPACE}/people/{{person}}/opt-out", NAMES | {"person": "left"}),
    Ask(f"DELETE {WORKSPACE}/people/{{person}}", tables=("workspaces", "campaigns", "clicks")),
    Ask(
        f"POST {WORKSPACE}/shares",
        body={"campaign": "spring-sale", "hours": 24},
        tables=("campaigns",),
    ),
    Ask(f"PUT {WORKSPACE}/settings", body={"cio_id": False, "never_track": ["a", "b"]}),
    Ask(f"POST {WORKSPACE}/domains", body={"host": "go.acme.com"}),
    Ask(f"POST {WORKSPACE}/domains/{{host}}", body={"reverted": True}),
    Ask(f"DELETE {WORKSPACE}/domains/{{host}}"),
]
PAGES = ["workspace", "campaign", "map", "message", "link", "people.csv", "person", "domains"]
PAGES += ["people.ndjson", "settings"]


@pytest.fixture(scope="module")
def api(aws: Cloud) -> ModuleType:
    made = handlers.load("api")
    setattr(made, "services", Services(NOON.timestamp))  # noqa: B010 - as below
    return made


@pytest.fixture(scope="module")
def pages(aws: Cloud) -> ModuleType:
    made = handlers.load("pages")
    fixed = cache(lambda: visits_of(Services(NOON.timestamp)))
    setattr(made, "visits", fixed)  # noqa: B010 - as below
    return made


@contextmanager
def prepared(aws: Cloud, ask: Ask | None = None) -> Iterator[Cloud]:
    """A workspace with what a request is about: a domain, a campaign with its message and clicks.
    Without a request, all of it.
    """
    with aws.fresh():
        with_campaign = ask is None or "campaigns" in ask.tables
        aws.stock(have_domain_and_campaign if with_campaign else have_domain)
        yield aws


def have_domain_and_campaign() -> None:
    have_domain()
    have_campaign()


def have_domain() -> None:
    dynamodb = client("dynamodb")
    DynamoWorkspaces(dynamodb, "workspaces").opt_out(ACME, "left", NOON)
    domain = new_domain(ACME, "acme", NAMES["host"], "acme.com", "f00d", NOON)
    DynamoDomains(dynamodb, "workspaces").add(domain)


def have_campaign() -> None:
    dynamodb = client("dynamodb")
    campaigns = DynamoCampaigns(dynamodb, "campaigns")
    campaigns.open("acme", "spring-sale", kind="newsletter", channel="email", now=NOON)
    definitions = [LinkDefinition(name, f"https://e.com/{name}", None, 1) for name in ("home", "b")]
    campaigns.define_links(CAMPAIGN, definitions, NOON)
    campaigns.add_sent(CAMPAIGN, 10, None)
    html = '<a href="https://e.com/home">x</a>'
    kept = SentMessage(campaign=CAMPAIGN, html=html, rendered=True, expires=2**31)
    DynamoMessages(dynamodb, "campaigns").keep(kept)
    ledger, workspaces = DynamoClicks(dynamodb, "clicks"), DynamoWorkspaces(dynamodb, "workspaces")
    clicks = [click(f"click-{n}", person=f"p{n % 2}") for n in range(3)]
    for one in clicks:
        ledger.record(one)
    recipients = DynamoRecipients(dynamodb, "campaigns")
    Tally(ledger=ledger, recipients=recipients, workspaces=workspaces, bus=None).count(clicks)


def send(api: ModuleType, ask: Ask) -> Answer:
    event = handlers.request(ask.route, dict(ask.names), body=ask.body)
    answer: Answer = api.handler(event, handlers.Context())
    return answer


def send_anew(api: ModuleType, ask: Ask) -> Answer:
    """The answer of a function that has just started."""
    setattr(api, "services", Services(NOON.timestamp))  # noqa: B010 - a module, for all that types know
    return send(api, ask)


def visit(pages: ModuleType, name: str) -> Answer:
    """A page as a visitor sees it who holds a share of the workspace, people included."""
    keyring = KeyList.parse(SECRET).at(0)
    token = Sharer(keyring, lambda: NOON).token(Scope("acme", None, people=True), 24)
    query = {key: value for key, value in NAMES.items() if key != "host"}
    event = handlers.request("GET /reports/{page+}", {"page": name}, query=query)
    event["cookies"] = [f"__Host-share-{ACME}={token}"]
    answer: Answer = pages.handler(event, handlers.Context())
    return answer


def visit_anew(pages: ModuleType, name: str) -> Answer:
    pages.visits.cache_clear()
    return visit(pages, name)


def said(answer: Answer) -> tuple[int, str]:
    """What an answer says, but for pictures, which are given names by chance."""
    return answer["statusCode"], re.sub(r'data:[^"]*', "", answer["body"])


def is_refusal(answer: Answer) -> bool:
    """It asks to come again, says why, and holds nothing else."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    shown = str(answer["body"])
    problem = headers["content-type"] == "application/problem+json"
    told = bool(json.loads(shown)["detail"]) if problem else "<h1>" in shown
    return answer["statusCode"] == 503 and "retry-after" in headers and told


def state(cloud: Cloud, tables: Collection[str]) -> dict[tuple[str, str], Any]:
    """What tables hold, but for what differs from run to run."""
    return {
        (one["pk"]["S"], one.get("sk", {}).get("S", "")): steady(one)
        for table in tables
        for one in cloud.items(table)
    }


def steady(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item without times and what is drawn by chance."""
    if "domain" in stored:
        domain = json.loads(stored["domain"]["S"])
        return {name: domain[name] for name in ("host", "use", "stage", "role", "app_links")}
    return {name: value for name, value in stored.items() if name not in VOLATILE}


class Healthy(NamedTuple):
    """What a request is answered, the calls that it makes, and what is stored before and after."""

    answer: Answer
    calls: Counter[str]
    before: Mapping[tuple[str, str], Any]
    after: Mapping[tuple[str, str], Any]


@pytest.fixture(scope="module")
def read(aws: Cloud, api: ModuleType) -> dict[str, Healthy]:
    with prepared(aws) as cloud:
        return {ask.route: healthy(cloud, lambda: send_anew(api, ask)) for ask in READS}  # noqa: B023


@pytest.fixture(scope="module")
def written(aws: Cloud, api: ModuleType) -> dict[str, Healthy]:
    found = {}
    for ask in WRITES:
        with prepared(aws, ask) as cloud:
            found[ask.route] = healthy(cloud, lambda: send_anew(api, ask), ask.tables)  # noqa: B023
    return found


@pytest.fixture(scope="module")
def shown(aws: Cloud, pages: ModuleType) -> dict[str, Healthy]:
    with prepared(aws) as cloud:
        return {name: healthy(cloud, lambda: visit_anew(pages, name)) for name in PAGES}  # noqa: B023


def healthy(cloud: Cloud, ask: Callable[[], Answer], tables: Collection[str] = ()) -> Healthy:
    before = state(cloud, tables)
    cloud.calls.clear()
    answer = ask()
    assert answer["statusCode"] in (200, 201, 202), answer
    return Healthy(answer, Counter(cloud.calls), before, state(cloud, tables))


def test_every_route_is_asked() -> None:
    template = load(Path(__file__).parents[2] / "template.yaml")
    events: Any = template.resources["ApiFunction"].properties["Events"]
    asked_by = [event["Properties"] for event in events.values()]
    routes = {f"{one['Method']} {one['Path']}" for one in asked_by}
    assert {ask.route for ask in READS + WRITES} == routes


def test_every_call_of_the_api_has_its_promise(
    read: dict[str, Healthy], written: dict[str, Healthy]
) -> None:
    calls = {call for one in [*read.values(), *written.values()] for call in one.calls}
    assert unpromised("api", calls) == set()


def test_every_call_of_the_pages_has_its_promise(shown: dict[str, Healthy]) -> None:
    assert unpromised("pages", {call for one in shown.values() for call in one.calls}) == set()


@pytest.mark.parametrize("call", calls_of("api", "test_a_report_is_whole_or_refused"))
def test_a_report_is_whole_or_refused(
    aws: Cloud, api: ModuleType, read: dict[str, Healthy], call: str
) -> None:
    with prepared(aws) as cloud:
        for route, way, after, times in broken(read, call):
            ask = next(ask for ask in READS if ask.route == route)
            cloud.break_(call, way, after=after, times=times)
            answer = send_anew(api, ask)
            assert is_refusal(answer) or said(answer) == said(read[route].answer), (route, way)
            cloud.heal()
            assert said(send(api, ask)) == said(read[route].answer), (route, way)


def broken(healthy: Mapping[str, Healthy], call: str) -> Iterator[tuple[str, str, int, int]]:
    """Every way in which a call may break, with a request that makes it; at length, with each."""
    names = [name for name, one in healthy.items() if one.calls[call]]
    for number, way in enumerate(WAYS):
        for name in names if ROUNDS > 1 else [names[number % len(names)]]:
            for after, times in breaks(healthy[name].calls[call]):
                yield name, way, after, times


@pytest.mark.parametrize("call", calls_of("api", "test_a_write_is_whole_or_refused"))
def test_a_write_is_whole_or_refused(
    aws: Cloud, api: ModuleType, written: dict[str, Healthy], call: str
) -> None:
    for route, way, after, times in broken(written, call):
        ask, wanted = next(ask for ask in WRITES if ask.route == route), written[route]
        with prepared(aws, ask) as cloud:
            cloud.break_(call, way, after=after, times=times)
            answer, code = send_anew(api, ask), wanted.answer["statusCode"]
            assert is_refusal(answer) or answer["statusCode"] == code, (route, way, answer)
            if len(ask.tables) == 1:
                assert state(cloud, ask.tables) in (wanted.before, wanted.after), (route, way)
            cloud.heal()
            assert send(api, ask)["statusCode"] in (code, 409), (route, way)
            check_written(cloud, ask, wanted)


def check_written(cloud: Cloud, ask: Ask, wanted: Healthy) -> None:
    """What is stored in the end is what a healthy run stores; of a person erased nothing is."""
    stored = state(cloud, ask.tables)
    if len(ask.tables) == 1:
        assert stored == wanted.after
    else:
        assert "p:p1" not in str(stored)
        assert len(stored) == len(wanted.after)


@pytest.mark.parametrize("call", calls_of("pages", "test_a_page_is_whole_or_asks_to_come_again"))
def test_a_page_is_whole_or_asks_to_come_again(
    aws: Cloud, pages: ModuleType, shown: dict[str, Healthy], call: str
) -> None:
    with prepared(aws) as cloud:
        for name, way, after, times in broken(shown, call):
            cloud.break_(call, way, after=after, times=times)
            answer = visit_anew(pages, name)
            assert is_refusal(answer) or said(answer) == said(shown[name].answer), (name, way)
            cloud.heal()
            assert said(visit(pages, name)) == said(shown[name].answer), (name, way)


def test_at_random_reports_and_pages_are_whole_or_refused(
    aws: Cloud,
    api: ModuleType,
    pages: ModuleType,
    read: dict[str, Healthy],
    shown: dict[str, Healthy],
) -> None:
    random = Random(SEED)
    with prepared(aws) as cloud:
        cloud.at_random(random, 0.15)
        for _ in range(200 * ROUNDS):
            if random.random() < 0.5:
                ask = random.choice(READS)
                answer, wanted = send(api, ask), read[ask.route].answer
            else:
                name = random.choice(PAGES)
                answer, wanted = visit(pages, name), shown[name].answer
            assert is_refusal(answer) or said(answer) == said(wanted)
        assert len(cloud.seen) > len(WAYS) / 2


def test_at_random_writes_end_where_they_would_have(aws: Cloud, api: ModuleType) -> None:
    random = Random(SEED)
    with prepared(aws) as cloud:
        hosts = [f"go{number}.acme.com" for number in range(6)]
        wanted: dict[str, str] = {}
        for _ in range(40 * ROUNDS):
            host, wish = random.choice(hosts), random.choice(["on", "reverted", "removed"])
            cloud.at_random(random, 0.15)
            ask_until_done(api, host, wish, random)
            cloud.heal()
            wanted[host] = wish
        with cloud.aside():
            domains = DynamoDomains(client("dynamodb"), "workspaces")
            found = {one.host: one.use for one in domains.of_workspace(ACME)}
            assert {host: found[host] for host in wanted} == wanted
            assert all(domains.by_host(host) == domains.get(ACME, host) for host in found)
        assert len(cloud.seen) > len(WAYS) / 2


def ask_until_done(api: ModuleType, host: str, wish: str, random: Random) -> None:
    """Have a domain used, reverted or removed, as a caller would who asks again after a 503."""
    names = NAMES | {"host": host}
    asks = [Ask(f"POST {WORKSPACE}/domains", body={"host": host})]
    asks += [Ask(f"POST {WORKSPACE}/domains/{{host}}", names, {"reverted": wish == "reverted"})]
    asks += [Ask(f"DELETE {WORKSPACE}/domains/{{host}}", names)] if wish == "removed" else []
    for ask in asks:
        answer = send_anew(api, ask) if random.random() < 0.2 else send(api, ask)
        while answer["statusCode"] == 503:
            assert is_refusal(answer)
            answer = send(api, ask)
        assert answer["statusCode"] in (200, 201, 409)

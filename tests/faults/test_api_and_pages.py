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

from local.template import load_template
from tests import lambda_handlers
from tests.click_factory import CAMPAIGN, NOON, make_click, make_link_id
from tests.faults.checking import FAULT_SEED, SOAK_ROUNDS
from tests.faults.cloud import SECRET, FakeCloud, get_repositories
from tests.faults.fault_injector import fault_schedules
from tests.faults.promises import find_missing_promises, list_calls
from tests.faults.ways import CALL_FAULTS
from waypost.composition import ApiServices, build_page_service, build_tally_service
from waypost.ids import derive_workspace_id
from waypost.models.campaign import LinkDefinition, SentMessage
from waypost.models.tracking_domain import create_domain
from waypost.reports.share_links import ShareScope, ShareSigner
from waypost.tokens.keyring import KeySchedule

ACME = derive_workspace_id("acme")
WORKSPACE = "/v1/workspaces/{workspace}"
NAMES = {
    "workspace": "acme",
    "campaign": "spring-sale",
    "link": make_link_id("home"),
    "person": "p1",
    "host": "links.acme.com",
}
VOLATILE = frozenset({"salt", "since", "due", "version"})
Answer: TypeAlias = Mapping[str, Any]


class ApiRequest(NamedTuple):
    """A request to the API. ``tables``: what it writes to; two or more, and it is done in steps,
    which go on when it is asked again.
    """

    route: str
    names: Mapping[str, str] = NAMES
    body: object = None
    tables: Collection[str] = ("workspaces",)


READS = [
    ApiRequest(f"GET {WORKSPACE}/campaigns"),
    ApiRequest(f"GET {WORKSPACE}/campaigns/{{campaign}}"),
    ApiRequest(f"GET {WORKSPACE}/campaigns/{{campaign}}/links"),
    ApiRequest(f"GET {WORKSPACE}/campaigns/{{campaign}}/series"),
    ApiRequest(f"GET {WORKSPACE}/links/{{link}}/people"),
    ApiRequest(f"GET {WORKSPACE}/links/{{link}}/people.csv"),
    ApiRequest(f"GET {WORKSPACE}/links/{{link}}/people.ndjson"),
    ApiRequest(f"GET {WORKSPACE}/people/{{person}}/activity"),
    ApiRequest(f"GET {WORKSPACE}/people/{{person}}/opt-out"),
    ApiRequest(f"GET {WORKSPACE}/settings"),
    ApiRequest(f"GET {WORKSPACE}/domains"),
    ApiRequest(f"GET {WORKSPACE}/domains/{{host}}"),
    ApiRequest("GET /v1/openapi.json"),
]
WRITES = [
    ApiRequest(f"PUT {WORKSPACE}/people/{{person}}/opt-out"),
    ApiRequest(f"DELETE {WORKSPACE}/people/{{person}}/opt-out", NAMES | {"person": "left"}),
    ApiRequest(
        f"DELETE {WORKSPACE}/people/{{person}}", tables=("workspaces", "campaigns", "clicks")
    ),
    ApiRequest(
        f"POST {WORKSPACE}/shares",
        body={"campaign": "spring-sale", "hours": 24},
        tables=("campaigns",),
    ),
    ApiRequest(f"PUT {WORKSPACE}/settings", body={"cio_id": False, "never_track": ["a", "b"]}),
    ApiRequest(f"POST {WORKSPACE}/domains", body={"host": "go.acme.com"}),
    ApiRequest(f"POST {WORKSPACE}/domains/{{host}}", body={"reverted": True}),
    ApiRequest(f"DELETE {WORKSPACE}/domains/{{host}}"),
]
PAGES = ["workspace", "campaign", "map", "message", "link", "people.csv", "person", "domains"]
PAGES += ["people.ndjson", "settings"]


@pytest.fixture(scope="module")
def api(aws: FakeCloud) -> ModuleType:
    made = lambda_handlers.load_function("api")
    setattr(made, "services", ApiServices(NOON.timestamp))  # noqa: B010 - as below
    return made


@pytest.fixture(scope="module")
def pages(aws: FakeCloud) -> ModuleType:
    made = lambda_handlers.load_function("pages")
    fixed = cache(lambda: build_page_service(ApiServices(NOON.timestamp)))
    setattr(made, "page_service", fixed)  # noqa: B010 - as below
    return made


@contextmanager
def prepared(aws: FakeCloud, ask: ApiRequest | None = None) -> Iterator[FakeCloud]:
    """A workspace with what a request is about: a domain, a campaign with its message and clicks.
    Without a request, all of it.
    """
    with aws.reset():
        with_campaign = ask is None or "campaigns" in ask.tables
        aws.load_snapshot(
            create_domain_and_campaign if with_campaign else create_opted_out_workspace
        )
        yield aws


def create_domain_and_campaign() -> None:
    create_opted_out_workspace()
    create_campaign()


def create_opted_out_workspace() -> None:
    repositories = get_repositories()
    repositories.workspaces.opt_out(ACME, "left", NOON)
    domain = create_domain(ACME, "acme", NAMES["host"], "acme.com", "f00d", NOON)
    repositories.domains.add(domain)


def create_campaign() -> None:
    repositories = get_repositories()
    campaigns = repositories.campaigns
    campaigns.get_or_create("acme", "spring-sale", kind="newsletter", channel="email", now=NOON)
    definitions = [LinkDefinition(name, f"https://e.com/{name}", None, 1) for name in ("home", "b")]
    campaigns.define_links(CAMPAIGN, definitions, NOON)
    campaigns.add_deliveries(CAMPAIGN, 10, None)
    html = '<a href="https://e.com/home">x</a>'
    kept = SentMessage(campaign=CAMPAIGN, html=html, rendered=True, expires=2**31)
    repositories.messages.add(kept)
    clicks = [make_click(f"click-{n}", person=f"p{n % 2}") for n in range(3)]
    for one in clicks:
        repositories.clicks.record(one)
    build_tally_service(repositories, None).count_clicks(clicks)


def send(api: ModuleType, ask: ApiRequest) -> Answer:
    event = lambda_handlers.build_api_event(ask.route, dict(ask.names), body=ask.body)
    answer: Answer = api.handler(event, lambda_handlers.LambdaContext())
    return answer


def send_in_new_container(api: ModuleType, ask: ApiRequest) -> Answer:
    """The answer of a function that has just started."""
    setattr(api, "services", ApiServices(NOON.timestamp))  # noqa: B010 - a module, for all that types know
    return send(api, ask)


def visit(pages: ModuleType, name: str) -> Answer:
    """A page as a visitor sees it who holds a share of the workspace, people included."""
    keyring = KeySchedule.parse(SECRET).build_keyring(0)
    token = ShareSigner(keyring, lambda: NOON).create_token(
        ShareScope("acme", None, people=True), 24
    )
    query = {key: value for key, value in NAMES.items() if key != "host"}
    event = lambda_handlers.build_api_event("GET /reports/{page+}", {"page": name}, query=query)
    event["cookies"] = [f"__Host-share-{ACME}={token}"]
    answer: Answer = pages.handler(event, lambda_handlers.LambdaContext())
    return answer


def visit_in_new_container(pages: ModuleType, name: str) -> Answer:
    pages.page_service.cache_clear()
    return visit(pages, name)


def summarize_answer(answer: Answer) -> tuple[int, str]:
    """What an answer says, but for pictures, which are given names by chance."""
    return answer["statusCode"], re.sub(r'data:[^"]*', "", answer["body"])


def is_refusal(answer: Answer) -> bool:
    """It asks to come again, says why, and holds nothing else."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    shown = str(answer["body"])
    problem = headers["content-type"] == "application/problem+json"
    told = bool(json.loads(shown)["detail"]) if problem else "<h1>" in shown
    return answer["statusCode"] == 503 and "retry-after" in headers and told


def state(cloud: FakeCloud, tables: Collection[str]) -> dict[tuple[str, str], Any]:
    """What tables hold, but for what differs from run to run."""
    return {
        (one["pk"]["S"], one.get("sk", {}).get("S", "")): drop_volatile(one)
        for table in tables
        for one in cloud.scan_items(table)
    }


def drop_volatile(stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item without times and what is drawn by chance."""
    if "domain" in stored:
        domain = json.loads(stored["domain"]["S"])
        return {name: domain[name] for name in ("host", "use", "stage", "role", "app_links")}
    return {name: value for name, value in stored.items() if name not in VOLATILE}


class HealthyRun(NamedTuple):
    """What a request is answered, the calls that it makes, and what is stored before and after."""

    answer: Answer
    calls: Counter[str]
    before: Mapping[tuple[str, str], Any]
    after: Mapping[tuple[str, str], Any]


@pytest.fixture(scope="module")
def read(aws: FakeCloud, api: ModuleType) -> dict[str, HealthyRun]:
    with prepared(aws) as cloud:
        return {ask.route: healthy(cloud, lambda: send_in_new_container(api, ask)) for ask in READS}  # noqa: B023


@pytest.fixture(scope="module")
def written(aws: FakeCloud, api: ModuleType) -> dict[str, HealthyRun]:
    found = {}
    for ask in WRITES:
        with prepared(aws, ask) as cloud:
            found[ask.route] = healthy(cloud, lambda: send_in_new_container(api, ask), ask.tables)  # noqa: B023
    return found


@pytest.fixture(scope="module")
def shown(aws: FakeCloud, pages: ModuleType) -> dict[str, HealthyRun]:
    with prepared(aws) as cloud:
        return {name: healthy(cloud, lambda: visit_in_new_container(pages, name)) for name in PAGES}  # noqa: B023


def healthy(
    cloud: FakeCloud, ask: Callable[[], Answer], tables: Collection[str] = ()
) -> HealthyRun:
    before = state(cloud, tables)
    cloud.calls.clear()
    answer = ask()
    assert answer["statusCode"] in (200, 201, 202), answer
    return HealthyRun(answer, Counter(cloud.calls), before, state(cloud, tables))


def test_every_route_is_asked() -> None:
    template = load_template(Path(__file__).parents[2] / "template.yaml")
    events: Any = template.resources["ApiFunction"].properties["Events"]
    asked_by = [event["Properties"] for event in events.values()]
    routes = {f"{one['Method']} {one['Path']}" for one in asked_by}
    assert {ask.route for ask in READS + WRITES} == routes


def test_every_call_of_the_api_has_its_promise(
    read: dict[str, HealthyRun], written: dict[str, HealthyRun]
) -> None:
    calls = {call for one in [*read.values(), *written.values()] for call in one.calls}
    assert find_missing_promises("api", calls) == set()


def test_every_call_of_the_pages_has_its_promise(shown: dict[str, HealthyRun]) -> None:
    assert (
        find_missing_promises("pages", {call for one in shown.values() for call in one.calls})
        == set()
    )


@pytest.mark.parametrize("call", list_calls("api", "test_a_report_is_whole_or_refused"))
def test_a_report_is_whole_or_refused(
    aws: FakeCloud, api: ModuleType, read: dict[str, HealthyRun], call: str
) -> None:
    with prepared(aws) as cloud:
        for route, way, after, times in broken(read, call):
            ask = next(ask for ask in READS if ask.route == route)
            cloud.plan_fault(call, way, after=after, times=times)
            answer = send_in_new_container(api, ask)
            assert is_refusal(answer) or summarize_answer(answer) == summarize_answer(
                read[route].answer
            ), (route, way)
            cloud.clear_faults()
            assert summarize_answer(send(api, ask)) == summarize_answer(read[route].answer), (
                route,
                way,
            )


def broken(healthy: Mapping[str, HealthyRun], call: str) -> Iterator[tuple[str, str, int, int]]:
    """Every way in which a call may break, with a request that makes it; at length, with each."""
    names = [name for name, one in healthy.items() if one.calls[call]]
    for number, way in enumerate(CALL_FAULTS):
        for name in names if SOAK_ROUNDS > 1 else [names[number % len(names)]]:
            for after, times in fault_schedules(healthy[name].calls[call]):
                yield name, way, after, times


@pytest.mark.parametrize("call", list_calls("api", "test_a_write_is_whole_or_refused"))
def test_a_write_is_whole_or_refused(
    aws: FakeCloud, api: ModuleType, written: dict[str, HealthyRun], call: str
) -> None:
    for route, way, after, times in broken(written, call):
        ask, wanted = next(ask for ask in WRITES if ask.route == route), written[route]
        with prepared(aws, ask) as cloud:
            cloud.plan_fault(call, way, after=after, times=times)
            answer, code = send_in_new_container(api, ask), wanted.answer["statusCode"]
            assert is_refusal(answer) or answer["statusCode"] == code, (route, way, answer)
            if len(ask.tables) == 1:
                assert state(cloud, ask.tables) in (wanted.before, wanted.after), (route, way)
            cloud.clear_faults()
            assert send(api, ask)["statusCode"] in (code, 409), (route, way)
            check_written(cloud, ask, wanted)


def check_written(cloud: FakeCloud, ask: ApiRequest, wanted: HealthyRun) -> None:
    """What is stored in the end is what a healthy run stores; of a person erased nothing is."""
    stored = state(cloud, ask.tables)
    if len(ask.tables) == 1:
        assert stored == wanted.after
    else:
        assert "p:p1" not in str(stored)
        assert len(stored) == len(wanted.after)


@pytest.mark.parametrize("call", list_calls("pages", "test_a_page_is_whole_or_asks_to_come_again"))
def test_a_page_is_whole_or_asks_to_come_again(
    aws: FakeCloud, pages: ModuleType, shown: dict[str, HealthyRun], call: str
) -> None:
    with prepared(aws) as cloud:
        for name, way, after, times in broken(shown, call):
            cloud.plan_fault(call, way, after=after, times=times)
            answer = visit_in_new_container(pages, name)
            assert is_refusal(answer) or summarize_answer(answer) == summarize_answer(
                shown[name].answer
            ), (name, way)
            cloud.clear_faults()
            assert summarize_answer(visit(pages, name)) == summarize_answer(shown[name].answer), (
                name,
                way,
            )


def test_at_random_reports_and_pages_are_whole_or_refused(
    aws: FakeCloud,
    api: ModuleType,
    pages: ModuleType,
    read: dict[str, HealthyRun],
    shown: dict[str, HealthyRun],
) -> None:
    random = Random(FAULT_SEED)
    with prepared(aws) as cloud:
        cloud.inject_at_random(random, 0.15)
        for _ in range(200 * SOAK_ROUNDS):
            if random.random() < 0.5:
                ask = random.choice(READS)
                answer, wanted = send(api, ask), read[ask.route].answer
            else:
                name = random.choice(PAGES)
                answer, wanted = visit(pages, name), shown[name].answer
            assert is_refusal(answer) or summarize_answer(answer) == summarize_answer(wanted)
        assert len(cloud.fault_counts) > len(CALL_FAULTS) / 2


def test_at_random_writes_end_where_they_would_have(aws: FakeCloud, api: ModuleType) -> None:
    random = Random(FAULT_SEED)
    with prepared(aws) as cloud:
        hosts = [f"go{number}.acme.com" for number in range(6)]
        wanted: dict[str, str] = {}
        for _ in range(40 * SOAK_ROUNDS):
            host, wish = random.choice(hosts), random.choice(["on", "reverted", "removed"])
            cloud.inject_at_random(random, 0.15)
            retry_until_done(api, host, wish, random)
            cloud.clear_faults()
            wanted[host] = wish
        with cloud.bypass_faults():
            domains = get_repositories().domains
            found = {one.host: one.use for one in domains.list_by_workspace(ACME)}
            assert {host: found[host] for host in wanted} == wanted
            assert all(domains.get_by_host(host) == domains.get(ACME, host) for host in found)
        assert len(cloud.fault_counts) > len(CALL_FAULTS) / 2


def retry_until_done(api: ModuleType, host: str, wish: str, random: Random) -> None:
    """Have a domain used, reverted or removed, as a caller would who asks again after a 503."""
    names = NAMES | {"host": host}
    asks = [ApiRequest(f"POST {WORKSPACE}/domains", body={"host": host})]
    asks += [
        ApiRequest(f"POST {WORKSPACE}/domains/{{host}}", names, {"reverted": wish == "reverted"})
    ]
    asks += [ApiRequest(f"DELETE {WORKSPACE}/domains/{{host}}", names)] if wish == "removed" else []
    for ask in asks:
        answer = send_in_new_container(api, ask) if random.random() < 0.2 else send(api, ask)
        while answer["statusCode"] == 503:
            assert is_refusal(answer)
            answer = send(api, ask)
        assert answer["statusCode"] in (200, 201, 409)

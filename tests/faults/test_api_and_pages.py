"""Faults in each call of the API and pages: responses are complete or 503, writes never partial.

docs/faults.md lists the promises that these tests check.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import pytest

from local.template import load_template
from tests import lambda_handlers
from tests.click_factory import CAMPAIGN, NOON, make_click, make_link_id
from tests.faults.call_faults import CALL_FAULTS
from tests.faults.fake_cloud import SECRET, FakeCloud, get_repositories
from tests.faults.fault_injector import fault_schedules
from tests.faults.invariants import FAULT_SEED, SOAK_ROUNDS
from tests.faults.promises import find_missing_promises, list_calls
from waypost.composition import (
    ApiServices,
    Repositories,
    build_page_service,
    build_tally_service,
)
from waypost.ids import derive_workspace_id
from waypost.models.campaign import (
    LinkDefinition,
    PersonalRecord,
    RecipientMark,
    SentMessage,
    recipient_hash,
)
from waypost.models.short_link import LongDestination, ShortLink
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
    """A request to the API. ``tables``: the tables that it writes.

    A request with several tables writes in steps, which a repeated request continues.
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
    ApiRequest(f"GET {WORKSPACE}/people/{{person}}/export"),
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
        f"DELETE {WORKSPACE}/people/{{person}}",
        tables=("workspaces", "campaigns", "clicks", "short-links"),
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
    ApiRequest(
        "POST /v1/operator/workspaces/{workspace}/domains/{host}", body={"sending_verified": True}
    ),
]
PAGES = ["workspace", "campaign", "map", "message", "link", "people.csv", "person", "domains"]
PAGES += ["people.ndjson", "settings"]


@pytest.fixture(scope="module")
def api(aws: FakeCloud) -> ModuleType:
    module = lambda_handlers.load_function("api")
    setattr(module, "services", ApiServices(NOON.timestamp))  # noqa: B010 - mypy knows only a module
    return module


@pytest.fixture(scope="module")
def pages(aws: FakeCloud) -> ModuleType:
    module = lambda_handlers.load_function("pages")
    build_once = cache(lambda: build_page_service(ApiServices(NOON.timestamp)))
    setattr(module, "page_service", build_once)  # noqa: B010 - mypy knows only a module
    return module


@contextmanager
def prepare_workspace(aws: FakeCloud, request: ApiRequest | None = None) -> Iterator[FakeCloud]:
    """Create a workspace with the data of a request; without a request, with all data."""
    with aws.reset():
        with_campaign = request is None or "campaigns" in request.tables
        aws.load_snapshot(
            create_domain_and_campaign if with_campaign else create_opted_out_workspace
        )
        yield aws


def create_domain_and_campaign() -> None:
    create_opted_out_workspace()
    create_campaign()


def create_opted_out_workspace() -> None:
    repositories = get_repositories()
    repositories.workspaces.claim_id("acme")
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
    message = SentMessage(campaign=CAMPAIGN, html=html, rendered=True, expires=2**31)
    repositories.messages.add(message)
    clicks = [make_click(f"click-{n}", person=f"p{n % 2}") for n in range(3)]
    for one in clicks:
        repositories.clicks.record(one)
    build_tally_service(repositories, None).count_clicks(clicks)
    store_personal_data(repositories)


def store_personal_data(repositories: Repositories) -> None:
    """Store a link, a destination and a short link that only p1 has, an hour ago."""
    mark = RecipientMark(recipient_hash(ACME, "p:p1"))
    definition = LinkDefinition("url:own", "https://e.com/?p1@example.com", None, 3, mark)
    links = repositories.campaigns.define_links(CAMPAIGN, [definition], NOON)
    destination = LongDestination(ACME, "https://e.com/?p1@example.com", mark.hash)
    repositories.short_links.add_destinations([destination])
    repositories.short_links.add([ShortLink("BCDFGHJKLMNP", "p1/token", None)])
    written = int(NOON.timestamp()) - 3_600
    record = PersonalRecord(campaign=CAMPAIGN, recipient=mark.hash, written=written, links=links)
    others = replace(record, links=(), destinations=[destination.digest], codes=["BCDFGHJKLMNP"])
    repositories.personal_records.add([record, others])


def send(api: ModuleType, request: ApiRequest) -> Answer:
    event = lambda_handlers.build_api_event(request.route, dict(request.names), body=request.body)
    answer: Answer = api.handler(event, lambda_handlers.LambdaContext())
    return answer


def send_in_new_container(api: ModuleType, request: ApiRequest) -> Answer:
    """Send a request to a new execution environment."""
    setattr(api, "services", ApiServices(NOON.timestamp))  # noqa: B010 - mypy knows only a module
    return send(api, request)


def visit(pages: ModuleType, name: str) -> Answer:
    """Request a page with a workspace share that shows people."""
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


def summarize(answer: Answer) -> tuple[int, str]:
    """Return the status and body of a response."""
    return answer["statusCode"], answer["body"]


def is_refusal(answer: Answer) -> bool:
    """Check that the response is a 503 with Retry-After and a reason."""
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    body = str(answer["body"])
    is_problem = headers["content-type"] == "application/problem+json"
    has_reason = bool(json.loads(body)["detail"]) if is_problem else "<h1>" in body
    return answer["statusCode"] == 503 and "retry-after" in headers and has_reason


def read_state(cloud: FakeCloud, tables: Collection[str]) -> dict[tuple[str, str], Any]:
    """Return the items of tables without values that differ from run to run."""
    return {
        (one["pk"]["S"], one.get("sk", {}).get("S", "")): drop_volatile(one)
        for table in tables
        for one in cloud.scan_items(table)
    }


def drop_volatile(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an item without times and random values."""
    if "domain" in item:
        domain = json.loads(item["domain"]["S"])
        return {name: domain[name] for name in ("host", "use", "stage", "role", "app_links")}
    return {name: value for name, value in item.items() if name not in VOLATILE}


class HealthyRun(NamedTuple):
    """A request without faults: its response, its calls, and the items before and after."""

    answer: Answer
    calls: Counter[str]
    before: Mapping[tuple[str, str], Any]
    after: Mapping[tuple[str, str], Any]


@pytest.fixture(scope="module")
def healthy_reads(aws: FakeCloud, api: ModuleType) -> dict[str, HealthyRun]:
    with prepare_workspace(aws) as cloud:
        return {
            request.route: run_healthy(cloud, partial(send_in_new_container, api, request))
            for request in READS
        }


@pytest.fixture(scope="module")
def healthy_writes(aws: FakeCloud, api: ModuleType) -> dict[str, HealthyRun]:
    runs = {}
    for request in WRITES:
        with prepare_workspace(aws, request) as cloud:
            runs[request.route] = run_healthy(
                cloud, partial(send_in_new_container, api, request), request.tables
            )
    return runs


@pytest.fixture(scope="module")
def healthy_pages(aws: FakeCloud, pages: ModuleType) -> dict[str, HealthyRun]:
    with prepare_workspace(aws) as cloud:
        return {
            name: run_healthy(cloud, partial(visit_in_new_container, pages, name)) for name in PAGES
        }


def run_healthy(
    cloud: FakeCloud, request: Callable[[], Answer], tables: Collection[str] = ()
) -> HealthyRun:
    before = read_state(cloud, tables)
    cloud.calls.clear()
    answer = request()
    assert answer["statusCode"] in (200, 201, 202), answer
    return HealthyRun(answer, Counter(cloud.calls), before, read_state(cloud, tables))


def test_every_route_has_a_request() -> None:
    template = load_template(Path(__file__).parents[2] / "template.yaml")
    events: Any = template.resources["ApiFunction"].properties["Events"]
    api_events = [event["Properties"] for event in events.values()]
    routes = {f"{one['Method']} {one['Path']}" for one in api_events}
    assert {request.route for request in READS + WRITES} == routes


def test_every_call_of_the_api_has_its_promise(
    healthy_reads: dict[str, HealthyRun], healthy_writes: dict[str, HealthyRun]
) -> None:
    calls = {
        call for one in [*healthy_reads.values(), *healthy_writes.values()] for call in one.calls
    }
    assert find_missing_promises("api", calls) == set()


def test_every_call_of_the_pages_has_its_promise(healthy_pages: dict[str, HealthyRun]) -> None:
    assert (
        find_missing_promises(
            "pages", {call for one in healthy_pages.values() for call in one.calls}
        )
        == set()
    )


@pytest.mark.parametrize("call", list_calls("api", "test_report_is_complete_or_returns_503"))
def test_report_is_complete_or_returns_503(
    aws: FakeCloud, api: ModuleType, healthy_reads: dict[str, HealthyRun], call: str
) -> None:
    with prepare_workspace(aws) as cloud:
        for route, fault, after, times in generate_faults(healthy_reads, call):
            request = next(request for request in READS if request.route == route)
            cloud.plan_fault(call, fault, after=after, times=times)
            answer = send_in_new_container(api, request)
            assert is_refusal(answer) or summarize(answer) == summarize(
                healthy_reads[route].answer
            ), (
                route,
                fault,
            )
            cloud.clear_faults()
            assert summarize(send(api, request)) == summarize(healthy_reads[route].answer), (
                route,
                fault,
            )


def generate_faults(
    runs: Mapping[str, HealthyRun], call: str
) -> Iterator[tuple[str, str, int, int]]:
    """Yield each fault of a call with a request that makes it; in a soak run, with each request."""
    names = [name for name, run in runs.items() if run.calls[call]]
    for number, fault in enumerate(CALL_FAULTS):
        for name in names if SOAK_ROUNDS > 1 else [names[number % len(names)]]:
            for after, times in fault_schedules(runs[name].calls[call]):
                yield name, fault, after, times


@pytest.mark.parametrize("call", list_calls("api", "test_write_is_complete_or_returns_503"))
def test_write_is_complete_or_returns_503(
    aws: FakeCloud, api: ModuleType, healthy_writes: dict[str, HealthyRun], call: str
) -> None:
    for route, fault, after, times in generate_faults(healthy_writes, call):
        request, expected = (
            next(request for request in WRITES if request.route == route),
            healthy_writes[route],
        )
        with prepare_workspace(aws, request) as cloud:
            cloud.plan_fault(call, fault, after=after, times=times)
            answer, code = send_in_new_container(api, request), expected.answer["statusCode"]
            assert is_refusal(answer) or answer["statusCode"] == code, (route, fault, answer)
            if len(request.tables) == 1:
                assert read_state(cloud, request.tables) in (expected.before, expected.after), (
                    route,
                    fault,
                )
            cloud.clear_faults()
            assert send(api, request)["statusCode"] in (code, 409), (route, fault)
            check_stored(cloud, request, expected)


@pytest.mark.parametrize("fault", CALL_FAULTS)
@pytest.mark.parametrize("call", ["GetItem of settings", "UpdateItem of settings"])
def test_first_write_follows_its_claim_on_any_fault(
    aws: FakeCloud, api: ModuleType, call: str, fault: str
) -> None:
    request = WRITES[0]
    for after, times in fault_schedules(1):
        with aws.reset():
            aws.plan_fault(call, fault, after=after, times=times)
            answer = send_in_new_container(api, request)
            assert is_refusal(answer) or answer["statusCode"] == 200
            items = {sort_key[:1] for _, sort_key in read_state(aws, ["workspaces"])}
            assert items in (set(), {"W"}, {"W", "P"})
            aws.clear_faults()
            assert send(api, request)["statusCode"] == 200
            items = {sort_key[:1] for _, sort_key in read_state(aws, ["workspaces"])}
            assert items == {"W", "P"}


def check_stored(cloud: FakeCloud, request: ApiRequest, expected: HealthyRun) -> None:
    """Check that the items equal those of a run without faults, or that the person is erased."""
    stored = read_state(cloud, request.tables)
    if len(request.tables) == 1:
        assert stored == expected.after
    else:
        assert "p:p1" not in str(stored)
        assert "p1@example.com" not in str(stored)
        assert len(stored) == len(expected.after)


@pytest.mark.parametrize("call", list_calls("pages", "test_page_is_complete_or_returns_503"))
def test_page_is_complete_or_returns_503(
    aws: FakeCloud, pages: ModuleType, healthy_pages: dict[str, HealthyRun], call: str
) -> None:
    with prepare_workspace(aws) as cloud:
        for name, fault, after, times in generate_faults(healthy_pages, call):
            cloud.plan_fault(call, fault, after=after, times=times)
            answer = visit_in_new_container(pages, name)
            assert is_refusal(answer) or summarize(answer) == summarize(
                healthy_pages[name].answer
            ), (
                name,
                fault,
            )
            cloud.clear_faults()
            assert summarize(visit(pages, name)) == summarize(healthy_pages[name].answer), (
                name,
                fault,
            )


def test_reports_and_pages_are_complete_under_random_faults(
    aws: FakeCloud,
    api: ModuleType,
    pages: ModuleType,
    healthy_reads: dict[str, HealthyRun],
    healthy_pages: dict[str, HealthyRun],
) -> None:
    random = Random(FAULT_SEED)
    with prepare_workspace(aws) as cloud:
        cloud.inject_at_random(random, 0.15)
        for _ in range(200 * SOAK_ROUNDS):
            if random.random() < 0.5:
                request = random.choice(READS)
                answer, expected = send(api, request), healthy_reads[request.route].answer
            else:
                name = random.choice(PAGES)
                answer, expected = visit(pages, name), healthy_pages[name].answer
            assert is_refusal(answer) or summarize(answer) == summarize(expected)
        assert len(cloud.fault_counts) > len(CALL_FAULTS) / 2


def test_writes_reach_the_requested_state_under_random_faults(
    aws: FakeCloud, api: ModuleType
) -> None:
    random = Random(FAULT_SEED)
    with prepare_workspace(aws) as cloud:
        hosts = [f"go{number}.acme.com" for number in range(6)]
        expected: dict[str, str] = {}
        for _ in range(40 * SOAK_ROUNDS):
            host, use = random.choice(hosts), random.choice(["on", "reverted", "removed"])
            cloud.inject_at_random(random, 0.15)
            retry_until_done(api, host, use, random)
            cloud.clear_faults()
            expected[host] = use
        with cloud.bypass_faults():
            domains = get_repositories().domains
            uses = {one.host: one.use for one in domains.list_by_workspace(ACME)}
            assert {host: uses[host] for host in expected} == expected
            assert all(domains.get_by_host(host) == domains.get(ACME, host) for host in uses)
        assert len(cloud.fault_counts) > len(CALL_FAULTS) / 2


def retry_until_done(api: ModuleType, host: str, use: str, random: Random) -> None:
    """Change the use of a domain as a caller does that repeats requests after a 503."""
    names = NAMES | {"host": host}
    requests = [ApiRequest(f"POST {WORKSPACE}/domains", body={"host": host})]
    requests += [
        ApiRequest(f"POST {WORKSPACE}/domains/{{host}}", names, {"reverted": use == "reverted"})
    ]
    requests += (
        [ApiRequest(f"DELETE {WORKSPACE}/domains/{{host}}", names)] if use == "removed" else []
    )
    for request in requests:
        answer = (
            send_in_new_container(api, request) if random.random() < 0.2 else send(api, request)
        )
        while answer["statusCode"] == 503:
            assert is_refusal(answer)
            answer = send(api, request)
        assert answer["statusCode"] in (200, 201, 409)

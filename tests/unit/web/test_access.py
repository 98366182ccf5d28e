"""Access to report pages: every page with every kind of share link."""

from datetime import timedelta
from typing import Any

import pytest

from tests.colliding_names import COLLIDING, OWNER
from tests.lambda_handlers import LambdaContext, build_api_event, load_function
from tests.workspace_harness import WorkspaceHarness, build_link_definition
from waypost.ids import derive_campaign_id, derive_workspace_id
from waypost.web.app import PAGE_VIEWS

CAMPAIGN_PAGES = ("campaign", "map", "message", "link")
PEOPLE_PAGES = ("people.csv", "people.ndjson")
WORKSPACE_PAGES = ("workspace", "domains", "settings")
ALL = (*CAMPAIGN_PAGES, *PEOPLE_PAGES, *WORKSPACE_PAGES, "person")

SHARES: dict[str, dict[str, Any]] = {
    "campaign": {"campaign": "spring"},
    "campaign with people": {"campaign": "spring", "people": True},
    "other campaign": {"campaign": "autumn", "people": True},
    "workspace": {},
    "workspace with people": {"people": True},
}
COVERED = {
    "campaign": {*CAMPAIGN_PAGES},
    "campaign with people": {*CAMPAIGN_PAGES, *PEOPLE_PAGES},
    "other campaign": set(),
    "workspace": {*CAMPAIGN_PAGES, *WORKSPACE_PAGES},
    "workspace with people": set(ALL),
}


@pytest.fixture
def query(workspace) -> dict[str, str]:
    """A query with all names that pages need."""
    workspace.register_campaign("autumn", [])
    (link,) = workspace.register_campaign("spring", [build_link_definition("https://example.com")])
    workspace.record_click(link, "1", person="ada")
    workspace.archive_message(derive_campaign_id("acme", "spring"), "<p>Hello</p>")
    return {"workspace": "acme", "campaign": "spring", "link": link, "person": "ada"}


@pytest.mark.parametrize("page", ALL)
@pytest.mark.parametrize("share", SHARES)
def test_a_share_shows_only_the_pages_that_it_covers(workspace, visit, query, share, page):
    status = visit(page, workspace.create_share_token(**SHARES[share]), **query)["statusCode"]
    assert status == (200 if page in COVERED[share] else 403)


def test_the_access_matrix_contains_every_page():
    """Share links themselves have separate tests below."""
    assert set(ALL) == set(PAGE_VIEWS)


@pytest.mark.parametrize("page", ALL)
def test_pages_are_refused_without_a_share(visit, query, page):
    assert visit(page, **query)["statusCode"] == 403


@pytest.mark.parametrize("page", ALL)
def test_a_share_of_one_workspace_shows_nothing_of_another(workspace, visit, query, page):
    stranger = WorkspaceHarness("stranger")
    assert visit(page, stranger.create_share_token(people=True), **query)["statusCode"] == 403


@pytest.mark.parametrize("page", ALL)
def test_a_share_of_a_name_with_the_same_id_shows_nothing(monkeypatch, page):
    """Signed by a release that compared no names."""
    owner, other = WorkspaceHarness(OWNER), WorkspaceHarness(COLLIDING)
    (link,) = owner.register_campaign("spring", [build_link_definition("https://example.com")])
    owner.record_click(link, "1", person="ada")
    owner.archive_message(derive_campaign_id(OWNER, "spring"), "<p>Hello</p>", rendered=True)
    module = load_function("pages")
    monkeypatch.setattr(module, "page_service", owner.create_page_service)
    token = other.create_share_token(people=True)
    event = build_api_event(
        "GET /reports/{page+}",
        {"page": page},
        query={"workspace": COLLIDING, "campaign": "spring", "link": link, "person": "ada"},
        cookies=[f"__Host-share-{derive_workspace_id(COLLIDING)}={token}"],
    )
    answer = module.handler(event, LambdaContext())
    assert answer["statusCode"] == 409
    assert "choose another name" in answer["body"]
    for word in (OWNER, "Hello", "https://example.com"):
        assert word not in answer["body"]


def test_a_token_in_the_cookie_of_another_scope_is_refused(workspace, query, monkeypatch):
    module = load_function("pages")
    monkeypatch.setattr(module, "page_service", workspace.create_page_service)
    narrow = workspace.create_share_token("autumn", people=True)
    name = f"__Host-share-{derive_campaign_id('acme', 'spring')}"
    event = build_api_event(
        "GET /reports/{page+}", {"page": "campaign"}, query=query, cookies=[f"{name}={narrow}"]
    )
    assert module.handler(event, LambdaContext())["statusCode"] == 403


def test_an_expired_share_is_refused_with_its_expiry_time(workspace, visit, query):
    token = workspace.create_share_token("spring", hours=1)
    assert visit("campaign", token, **query)["statusCode"] == 200
    workspace.now += timedelta(hours=1)
    denied = visit("campaign", token, **query)
    assert (denied["statusCode"], "expired" in denied["body"]) == (403, True)
    assert f"{workspace.now:%d %b %Y, %H:%M} UTC" in denied["body"]
    assert "Ask the sender for a new one" in denied["body"]


def test_the_widest_of_two_shares_applies(workspace, visit, query):
    tokens = workspace.create_share_token("spring"), workspace.create_share_token(people=True)
    assert "ada" in visit("link", *tokens, **query)["body"]


def test_opening_a_share_link_moves_its_token_into_a_cookie(workspace, visit, query):
    token = workspace.create_share_token("spring", hours=2)
    answer = visit(f"open/{token}")
    assert answer["statusCode"] == 303
    assert answer["headers"]["location"] == "/reports/campaign?workspace=acme&campaign=spring"
    assert token not in answer["headers"]["location"]
    assert answer["headers"]["referrer-policy"] == "no-referrer"
    name, _, rest = answer["cookies"][0].partition("=")
    assert name == f"__Host-share-{derive_campaign_id('acme', 'spring')}"
    value, *attributes = rest.split("; ")
    assert value == token
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} < set(attributes)


@pytest.mark.parametrize("tamper", [lambda t: t[:-2] + "AA", lambda _: "x", lambda t: t.lower()])
def test_a_tampered_token_is_refused(workspace, visit, query, tamper):
    answer = visit(f"open/{tamper(workspace.create_share_token('spring'))}")
    assert answer["statusCode"] == 403
    assert "cookies" not in answer

"""API routes for reports: figures, pagination, names with any character, and errors by field."""

import csv
import io
import json
from datetime import timedelta

import pytest

from tests.click_factory import NOON
from tests.colliding_names import COLLIDING, OWNER
from tests.lambda_handlers import build_api_event
from tests.workspace_harness import build_link_definition
from waypost.ids import derive_campaign_id, derive_open_id
from waypost.repositories.pagination import encode_cursor

CAMPAIGN = "GET /v1/workspaces/{workspace}/campaigns/{campaign}"
LINK = "GET /v1/workspaces/{workspace}/links/{link}"
ACTIVITY = "GET /v1/workspaces/{workspace}/people/{person}/activity"
LONG_CURSOR = encode_cursor("0#p:" + "a" * 1_400)
ODD_NAMES = (
    "a/b",
    "50 %",
    "%2F",
    "ü €",
    "a?b#c",
    "..",
    "<script>",
    '"',
    "a+b",
    "\\",
    "😀" * 63,
)


@pytest.fixture
def links(workspace):
    """Three links: ada clicked the first once, the second twice; ben's bot the second once."""
    links = workspace.register_campaign(
        "spring",
        [
            build_link_definition("https://example.com/a"),
            build_link_definition("https://example.com/b", "CTA", 2),
            build_link_definition("https://example.com/b", "Footer", 3),
        ],
    )
    workspace.record_click(links[0], "1", person="ada")
    workspace.record_click(links[1], "2", person="ada", after=100)
    workspace.record_click(links[1], "3", person="ada", after=4_000)
    workspace.record_click(links[1], "4", person="ben", agent="")
    return links


def test_a_campaign_report_contains_its_figures_and_links(api, links):
    status, report = api(CAMPAIGN, campaign="spring")
    assert status == 200
    assert (report["campaign"], report["deliveries"]) == ("spring", 10)
    assert (report["clicked"], report["clicked_share"], report["clicked_human"]) == (2, 0.2, 1)
    assert report["clicks"] == {
        "total": 4,
        "unique": 2,
        "human": 3,
        "machine": 1,
        "unique_human": 1,
    }
    figures = [
        (k["link"], k["total"], k["unique"], k["human"], k["share"]) for k in report["links"]
    ]
    assert figures == [
        (links[1], 3, 2, 2, 0.75),
        (links[0], 1, 1, 1, 0.25),
        (links[2], 0, 0, 0, 0.0),
    ]


def test_opens_are_counted_apart_and_a_click_implies_an_open(api, workspace, links):
    pixel = derive_open_id(derive_campaign_id("acme", "spring"))
    workspace.record_click(pixel, "5", person="cleo", delivery="d-cleo", after=5)
    workspace.record_click(pixel, "6", person="ada", after=6)
    _, report = api(CAMPAIGN, campaign="spring")
    assert report["opens"] == {"total": 2, "human": 2, "machine": 0}
    assert (report["opened"], report["clicked"], report["clicks"]["total"]) == (3, 2, 4)
    assert len(report["links"]) == 3
    _, activity = api(ACTIVITY, person="ada")
    assert [click["id"] for click in activity["clicks"]] == ["3", "2", "1"]
    assert api(ACTIVITY, person="cleo")[1]["clicks"] == []
    _, hours = api(f"{CAMPAIGN}/series", campaign="spring")
    assert [(p["total"], p["opens"]) for p in hours["points"]] == [(3, 2), (1, 0)]


def test_a_campaign_without_clicks_has_zeros_and_its_links(api, workspace):
    workspace.register_campaign(
        "quiet", [build_link_definition("https://example.com")], deliveries=0
    )
    status, report = api(CAMPAIGN, campaign="quiet")
    assert (status, report["clicked_share"], len(report["links"])) == (200, 0, 1)


def test_a_share_is_at_most_1_before_the_delivery_is_counted(api, workspace):
    (link,) = workspace.register_campaign(
        "early", [build_link_definition("https://example.com")], deliveries=0
    )
    workspace.record_click(link, "1")
    assert api(CAMPAIGN, campaign="early")[1]["clicked_share"] == 0


def test_a_report_lists_the_1000_most_clicked_links_and_counts_the_rest(api, workspace):
    links = workspace.register_campaign(
        "own", [build_link_definition(f"https://example.com/{n}") for n in range(1_005)]
    )
    workspace.record_click(links[-1], "1")
    _, report = api(CAMPAIGN, campaign="own")
    assert (len(report["links"]), report["more_links"]) == (1_000, 5)
    assert report["links"][0]["link"] == links[-1]


@pytest.mark.parametrize("letter", ["x", "\N{EURO SIGN}"])
def test_a_report_lists_as_many_long_links_as_fit_into_a_response(handler, workspace, letter):
    many = [build_link_definition(f"https://example.com/{n}{letter * 4_900}") for n in range(1_300)]
    workspace.register_campaign("long", many)
    names = {"workspace": "acme", "campaign": "long"}
    answers = [
        handler(build_api_event(CAMPAIGN, names)),
        handler(build_api_event(f"{CAMPAIGN}/links", names, query={"by": "url", "limit": "1000"})),
    ]
    assert all(len(json.dumps(each, ensure_ascii=False).encode()) < 5_000_000 for each in answers)
    report, top = (json.loads(each["body"]) for each in answers)
    assert 100 < len(report["links"]) < 1_000
    assert len(report["links"]) + report["more_links"] == 1_300
    assert 100 < len(top["links"]) < 1_000


def test_links_with_one_url_are_summed_without_unique_people(api, links):
    _, top = api(f"{CAMPAIGN}/links", {"by": "url"}, campaign="spring")
    assert [(g["name"], g["total"], g["unique"]) for g in top["links"]] == [
        ("https://example.com/b", 3, None),
        ("https://example.com/a", 1, 1),
    ]


def test_grouping_by_tag_omits_links_without_a_tag(api, links):
    _, top = api(f"{CAMPAIGN}/links", {"by": "tag", "limit": "1"}, campaign="spring")
    assert [(g["name"], g["links"], g["unique"]) for g in top["links"]] == [("CTA", [links[1]], 2)]


def test_a_series_uses_the_requested_time_zone(api, links):
    query = {"by": "hour", "zone": "Asia/Tokyo", "from": "2026-11-21", "to": "2026-11-21"}
    _, series = api(f"{CAMPAIGN}/series", query, campaign="spring")
    clicked = {p["start"]: p["total"] for p in series["points"] if p["total"]}
    assert clicked == {"2026-11-21T21:00:00+09:00": 3, "2026-11-21T22:00:00+09:00": 1}
    assert len(series["points"]) == 24


def test_the_people_of_a_link_are_paginated(api, links):
    people, cursor = [], None
    for _ in range(5):
        query = {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        _, page = api(f"{LINK}/people", query, link=links[1])
        people += page["people"]
        if (cursor := page["cursor"]) is None:
            break
    assert sorted((p["person"], p["clicks"]) for p in people) == [("ada", 2), ("ben", 1)]
    ada = next(p for p in people if p["person"] == "ada")
    assert (ada["first"], ada["last"]) == ("2026-11-21T12:01:40.000Z", "2026-11-21T13:06:40.000Z")


@pytest.mark.parametrize("file_format", ["csv", "ndjson"])
def test_an_export_contains_the_same_people_as_the_list(handler, api, links, file_format):
    _, page = api(f"{LINK}/people", link=links[1])
    route = f"{LINK}/people.{file_format}"
    answer = handler(build_api_event(route, {"workspace": "acme", "link": links[1]}))
    assert answer["statusCode"] == 200
    assert f"{links[1]}.{file_format}" in answer["headers"]["content-disposition"]
    assert "link" not in answer["headers"]
    if file_format == "csv":
        rows = list(csv.DictReader(io.StringIO(answer["body"])))
        rows = [row | {"clicks": int(row["clicks"])} for row in rows]
    else:
        rows = [json.loads(line) for line in answer["body"].splitlines()]
    assert rows == page["people"]


def test_an_unknown_person_is_listed_without_a_name(api, links, workspace):
    workspace.record_click(links[2], "5", person=None, delivery="d9")
    _, page = api(f"{LINK}/people", link=links[2])
    assert [(p["person"], p["clicks"]) for p in page["people"]] == [(None, 1)]


def test_activity_is_newest_first_with_the_counted_verdict(api, links):
    _, activity = api(ACTIVITY, person="ada")
    assert [click["id"] for click in activity["clicks"]] == ["3", "2", "1"]
    newest = activity["clicks"][0]
    assert (newest["campaign"], newest["link"], newest["tag"]) == ("spring", links[1], "CTA")
    assert (newest["url"], newest["verdict"]) == ("https://example.com/b", "human")
    _, activity = api(ACTIVITY, person="ben")
    assert (activity["clicks"][0]["verdict"], activity["clicks"][0]["reasons"]) == (
        "machine",
        ["no_agent"],
    )


def test_activity_shows_a_click_in_a_burst_as_a_bot_click(api, workspace):
    links = workspace.register_campaign(
        "burst", [build_link_definition(f"https://example.com/{n}") for n in range(9)]
    )
    for n, link in enumerate(links):
        workspace.record_click(link, f"b{n}", person="scan", after=n / 10)
    _, activity = api(ACTIVITY, person="scan")
    assert {click["verdict"] for click in activity["clicks"]} == {"machine"}
    assert all(click["reasons"] for click in activity["clicks"])


def test_activity_is_paginated(api, links):
    _, first = api(ACTIVITY, {"limit": "2"}, person="ada")
    _, rest = api(ACTIVITY, {"limit": "2", "cursor": first["cursor"]}, person="ada")
    assert [c["id"] for c in first["clicks"] + rest["clicks"]] == ["3", "2", "1"]
    assert rest["cursor"] is None


@pytest.mark.parametrize("letter", ["a", "ü", "😀"])
def test_an_activity_page_has_as_many_long_links_as_fit_into_a_response(handler, workspace, letter):
    (link,) = workspace.register_campaign(
        "long", [build_link_definition(f"https://example.com/{letter * 5_000}")]
    )
    for n in range(100):
        href = f"https://example.com/{letter * 5_000}?{n}"
        workspace.record_click(link, f"c{n}", person="ada", after=n, href=href)
    clicks, query = [], {"limit": "100"}
    while query:
        answer = handler(
            build_api_event(ACTIVITY, {"workspace": "acme", "person": "ada"}, query=query)
        )
        assert len(json.dumps(answer, ensure_ascii=False).encode()) < 5_000_000
        page = json.loads(answer["body"])
        clicks += [click["id"] for click in page["clicks"]]
        query = {"limit": "100", "cursor": page["cursor"]} if page["cursor"] else {}
    assert clicks == [f"c{n}" for n in reversed(range(100))]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_may_contain_any_character(handler, workspace, name):
    workspace.register_campaign(name, [])
    event = build_api_event(CAMPAIGN, {"workspace": "acme", "campaign": name}, raw_path="/changed")
    answer = handler(event)
    assert (answer["statusCode"], json.loads(answer["body"]).get("campaign")) == (200, name)


@pytest.mark.parametrize(
    "segment", ["a b", "ü", "..", ".", "%2e%2e", "~", "~YWJj", "~YS9i=", "~YS9j.", "~/w", "~_w"]
)
@pytest.mark.parametrize("parameter", ["workspace", "campaign"])
def test_segment_of_another_format_is_refused_with_the_format(handler, segment, parameter):
    event = build_api_event(CAMPAIGN, {"workspace": "acme", "campaign": "spring"})
    event["pathParameters"] |= {parameter: segment}
    answer = handler(event)
    problem = json.loads(answer["body"])
    assert answer["statusCode"] == 400
    assert problem["errors"][0]["field"] == parameter
    assert "base64url" in problem["errors"][0]["reason"]


@pytest.mark.parametrize(
    ("route", "names"),
    [
        (CAMPAIGN, {"campaign": "unknown"}),
        (CAMPAIGN, {"workspace": "other", "campaign": "spring"}),
        (f"{CAMPAIGN}/links", {"campaign": "unknown"}),
        (f"{CAMPAIGN}/series", {"campaign": "unknown"}),
        (f"{LINK}/people", {"link": "0" * 26}),
        (f"{LINK}/people.csv", {"link": "0" * 26}),
        (ACTIVITY, {"person": "nobody"}),
        ("GET /v1/nothing", {}),
    ],
)
def test_unknown_resources_are_not_found(api, links, route, names):
    status, problem = api(route, **names)
    assert (status, problem["status"], problem["type"]) == (404, 404, "about:blank")


def test_a_link_of_another_workspace_is_not_found(api, links):
    assert api(f"{LINK}/people", workspace="other", link=links[0])[0] == 404


@pytest.mark.parametrize(
    ("route", "query", "field"),
    [
        (f"{CAMPAIGN}/series", {"zone": "Mars/Olympus"}, "zone"),
        (f"{CAMPAIGN}/series", {"by": "minute"}, "by"),
        (f"{CAMPAIGN}/series", {"from": "yesterday"}, "from"),
        (f"{CAMPAIGN}/series", {"from": "2001-01-01"}, "from"),
        (f"{CAMPAIGN}/series", {"from": "0"}, "from"),
        (f"{CAMPAIGN}/series", {"from": "0001-01-01", "zone": "Asia/Tokyo"}, "from"),
        (f"{CAMPAIGN}/series", {"to": "9999-12-31"}, "to"),
        (f"{CAMPAIGN}/series", {"from": "2026-11-22", "to": "2026-11-21"}, "to"),
        (f"{CAMPAIGN}/series", {"to": "1795256130"}, "to"),
        (f"{CAMPAIGN}/series", {"to": "2026-02-30"}, "to"),
        (f"{CAMPAIGN}/links", {"by": "colour"}, "by"),
        (f"{CAMPAIGN}/links", {"limit": "0"}, "limit"),
        (f"{LINK}/people", {"cursor": "!"}, "cursor"),
        (f"{LINK}/people", {"cursor": "4pyT"}, "cursor"),
        (f"{LINK}/people", {"limit": "many"}, "limit"),
        (f"{LINK}/people", {"cursor": LONG_CURSOR}, "cursor"),
        (f"{LINK}/people.csv", {"cursor": "!"}, "cursor"),
        (f"{LINK}/people.ndjson", {"cursor": LONG_CURSOR}, "cursor"),
        (ACTIVITY, {"cursor": LONG_CURSOR}, "cursor"),
        (ACTIVITY, {"cursor": LONG_CURSOR * 2}, "cursor"),
        (ACTIVITY, {"cursor": "\udcff"}, "cursor"),
    ],
)
def test_an_invalid_query_returns_400_with_the_field(handler, links, route, query, field):
    query = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}
    names = {"workspace": "acme", "campaign": "spring", "link": links[0], "person": "ada"}
    answer = handler(build_api_event(route, names, query=query))
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    assert headers["content-type"] == "application/problem+json"
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["errors"][0]["field"]) == (400, field)
    assert problem["errors"][0]["reason"]


def test_activity_omits_expired_clicks_that_are_still_stored(api, workspace, links):
    expired = int(workspace.clock()) - 1
    workspace.record_click(links[0], "5", person="ada", after=9_000, expires=expired)
    _, activity = api(ACTIVITY, person="ada")
    assert [click["id"] for click in activity["clicks"]] == ["3", "2", "1"]


CAMPAIGNS = "GET /v1/workspaces/{workspace}/campaigns"


def test_campaigns_are_listed_newest_first_with_their_figures(api, workspace, links):
    workspace.register_campaign(
        "quiet", [build_link_definition("https://example.com")], now=NOON + timedelta(days=1)
    )
    status, listed = api(CAMPAIGNS)
    assert (status, listed["cursor"]) == (200, None)
    assert [campaign["campaign"] for campaign in listed["campaigns"]] == ["quiet", "spring"]
    _, report = api(CAMPAIGN, campaign="spring")
    headline = listed["campaigns"][1]
    assert headline.pop("clicks") == report["clicks"]["total"] == 4
    assert headline == {name: report[name] for name in headline}


def test_the_list_of_campaigns_is_paginated(api, workspace):
    names = [f"{n} of {name}" for n, name in enumerate(ODD_NAMES)]
    for name in names:
        workspace.register_campaign(name, [])
    listed, query = [], {"limit": "3"}
    for _ in range(20):
        _, page = api(CAMPAIGNS, query)
        listed += [campaign["campaign"] for campaign in page["campaigns"]]
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert sorted(listed) == sorted(names)


def test_a_workspace_without_campaigns_has_an_empty_list(api):
    assert api(CAMPAIGNS, workspace="other") == (200, {"campaigns": [], "cursor": None})


@pytest.mark.parametrize(
    ("query", "field"),
    [({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"cursor": "Iw"}, "cursor")],
)
def test_an_invalid_list_query_returns_400_with_the_field(api, query, field):
    status, problem = api(CAMPAIGNS, query)
    assert (status, problem["errors"][0]["field"]) == (400, field)


def test_list_of_an_unclaimed_id_has_only_campaigns_of_the_requested_name(api, workspace):
    """Campaigns of a release that claimed no names."""
    for name in (OWNER, COLLIDING):
        workspace.campaigns.get_or_create(name, name, kind="", channel="email", now=NOON)
    for name in (OWNER, COLLIDING):
        (listed,) = api(CAMPAIGNS, workspace=name)[1]["campaigns"]
        assert listed["campaign"] == name

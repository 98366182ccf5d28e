"""The HTML of report pages; tests/e2e/pages tests them in a browser."""

import csv
import io
import re
from datetime import timedelta
from importlib.resources import files
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import available_timezones

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from tests.click_factory import NOON
from tests.workspace_harness import build_link_definition
from waypost.api.workspace_settings import SettingsChange
from waypost.domains.schemas import AddDomainRequest
from waypost.ids import derive_campaign_id
from waypost.models.campaign import LinkDefinition, MessageAbsence, RecipientMark
from waypost.reports.schemas import Point
from waypost.web import charts
from waypost.web.rendering import create_jinja_environment

HOSTILE = "\"><script>alert(1)</script>'&{{7*7}}"
MESSAGE = (
    '<p>Dear {{ customer.name }} <a href="https://example.com/a?x=1&amp;y=2">a</a>'
    "<a href=https://example.com/b data-cio-tag=CTA>b</a> <a href='www.example.com'>c</a></p>"
)


@pytest.fixture
def links(workspace):
    """A campaign with two links: ada clicked the first twice, ben's bot the second."""
    links = workspace.register_campaign(
        "spring",
        [
            build_link_definition("https://example.com/a?x=1&y=2"),
            build_link_definition("https://example.com/b", "CTA", 2),
        ],
    )
    workspace.record_click(links[0], "1", person="ada")
    workspace.record_click(links[0], "2", person="ada", after=60)
    workspace.record_click(links[1], "3", person="ben", agent="")
    return links


def read_figures(html: str) -> dict[str, str]:
    """Return the main figures of a page."""
    nodes = LexborHTMLParser(html).css("dl.figures [data-figure]")
    return {str(node.attributes["data-figure"]): node.text() for node in nodes}


def select_one(html: str, selector: str) -> LexborNode:
    """Return the first element of a selector, which must exist."""
    node = LexborHTMLParser(html).css_first(selector)
    assert node is not None, selector
    return node


def read_main_text(html: str) -> str:
    return select_one(html, "main").text()


def test_campaign_page_has_the_figures_of_the_report(workspace, visit, links):
    answer = visit(
        "campaign", workspace.create_share_token("spring"), workspace="acme", campaign="spring"
    )
    assert answer["statusCode"] == 200
    assert read_figures(answer["body"]) == {
        "deliveries": "10",
        "opened": "2",
        "clicked": "2",
        "total": "3",
        "unique": "2",
        "human": "2",
        "machine": "1",
    }
    rows = LexborHTMLParser(answer["body"]).css("tr[data-link]")
    assert [row.attributes["data-link"] for row in rows] == links
    assert "https://example.com/a?x=1&y=2" in rows[0].text()


def test_clicks_over_time_are_a_chart_and_a_table(workspace, visit, links):
    query = {"workspace": "acme", "campaign": "spring", "by": "day", "zone": "Asia/Tokyo"}
    page = visit("campaign", workspace.create_share_token("spring"), **query)["body"]
    chart = select_one(page, "svg.chart")
    assert chart.attributes["role"] == "img"
    named = str(chart.attributes["aria-labelledby"]).split()
    assert [select_one(page, f"svg.chart #{name}").text() for name in named] == [
        "Clicks by day",
        "Stacked bars of human clicks and bot clicks; the table below contains the figures.",
    ]
    assert select_one(page, "svg.chart g title").text() == "21 Nov: 2 human clicks, 1 bot clicks"
    row = select_one(page, "details tbody tr").text(separator=" ")
    assert row.split() == ["2026-11-21", "00:00:00+09:00", "3", "2", "1", "0"]


def test_a_campaign_without_clicks_shows_a_note(workspace, visit):
    workspace.register_campaign("quiet", [build_link_definition("https://example.com")])
    answer = visit(
        "campaign", workspace.create_share_token("quiet"), workspace="acme", campaign="quiet"
    )
    assert "No clicks yet." in answer["body"]


def test_a_long_list_of_links_is_collapsed_and_complete(workspace, visit):
    links = workspace.register_campaign(
        "many", [build_link_definition(f"https://example.com/{n}") for n in range(200)]
    )
    workspace.record_click(links[150], "1")
    page = visit(
        "campaign", workspace.create_share_token("many"), workspace="acme", campaign="many"
    )["body"]
    parsed = LexborHTMLParser(page)
    rows = [str(row.attributes["data-link"]) for row in parsed.css("tr[data-link]")]
    assert sorted(rows) == sorted(links)
    assert rows[0] == links[150]
    folded = parsed.css("section[aria-labelledby=top-links] details tr[data-link]")
    assert len(folded) == 180
    assert "180 more links" in read_main_text(page)


def read_campaigns(html: str) -> list[str]:
    """Return the campaigns of a workspace page, in its order."""
    rows = LexborHTMLParser(html).css("table.campaigns tr[data-campaign]")
    return [str(row.attributes["data-campaign"]) for row in rows]


def test_workspace_page_lists_campaigns_with_figures(workspace, visit, links):
    workspace.register_campaign("autumn / 2", [], deliveries=0, now=NOON + timedelta(days=1))
    page = visit("workspace", workspace.create_share_token(), workspace="acme")["body"]
    assert read_campaigns(page) == ["autumn / 2", "spring"]
    row = select_one(page, "tr[data-campaign=spring]")
    cells = {cell.attributes["data-label"]: cell.text() for cell in row.css("td")}
    assert cells == {"Deliveries": "10", "Opened": "20%", "Clicked": "20%", "Clicks": "3"}
    assert "Newsletter by email, first sent 21 Nov 2026" in row.text()
    anchors = LexborHTMLParser(page).css("table.campaigns a")
    for name, anchor in zip(read_campaigns(page), anchors, strict=True):
        query = dict(parse_qsl(urlsplit(str(anchor.attributes["href"])).query))
        answer = visit("campaign", workspace.create_share_token(), **query)
        assert select_one(answer["body"], "h1").text() == name


def test_workspace_page_paginates_campaigns(workspace, visit):
    for n in range(60):
        workspace.register_campaign(f"c{n}", [], now=NOON + timedelta(hours=n))
    seen, query = [], {"workspace": "acme"}
    for _ in range(4):
        page = visit("workspace", workspace.create_share_token(), **query)["body"]
        seen += read_campaigns(page)
        following = LexborHTMLParser(page).css_first("a[rel=next]")
        if following is None:
            break
        query = dict(parse_qsl(urlsplit(str(following.attributes["href"])).query))
    assert seen == [f"c{n}" for n in reversed(range(60))]


def test_a_workspace_without_campaigns_shows_a_note(workspace, visit):
    page = visit("workspace", workspace.create_share_token(), workspace="acme")["body"]
    assert "No campaigns yet" in read_main_text(page)
    assert read_campaigns(page) == []


@pytest.mark.parametrize("people", [True, False])
def test_a_share_of_one_campaign_shows_no_other_campaign(workspace, visit, links, people):
    workspace.register_campaign("secret", [])
    token = workspace.create_share_token("spring", people=people)
    answer = visit("workspace", token, workspace="acme")
    assert answer["statusCode"] == 403
    assert "secret" not in answer["body"]
    for page in ("campaign", "map"):
        shown = visit(page, token, workspace="acme", campaign="spring")["body"]
        assert "secret" not in shown
        assert "/reports/workspace" not in shown


def test_navigation_marks_the_current_page(workspace, visit, links):
    query = {"workspace": "acme", "campaign": "spring", "person": "ada"}
    for page, marked in (("workspace", "acme"), ("domains", "Domains"), ("map", "Click map")):
        shown = visit(page, workspace.create_share_token(people=True), **query)["body"]
        assert [a.text() for a in LexborHTMLParser(shown).css("[aria-current]")] == [marked]


def test_grid_lines_are_at_round_numbers():
    for most in (*range(1, 300), 999, 1_000, 123_456):
        lines = charts.choose_grid_lines(most)
        assert lines[0] == 0
        assert lines[-2] < most <= lines[-1]
        assert len(lines) <= charts.MAX_GRID_LINES + 1
        assert str(lines[1]).rstrip("0") in {"1", "2", "5"}


@pytest.mark.parametrize("hours", [1, 3, 40])
def test_a_bar_is_at_most_a_tenth_of_the_chart(hours):
    starts = [f"2026-11-{1 + n // 24:02}T{n % 24:02}:00:00+00:00" for n in range(hours)]
    points = [Point(start=at, total=2, human=1, machine=1, opens=0) for at in starts]
    chart = charts.build_clicks_chart(points, "hour")
    assert chart is not None
    svg = create_jinja_environment().get_template("chart.svg").render(chart=chart)
    bars = re.findall(r'<rect class="(?:human|machine)"[^>]* width="([\d.]+)%"', svg)
    assert len(bars) == 2 * hours
    assert max(map(float, bars)) < 10
    assert "01 Nov 00:00" in svg


def test_the_height_of_a_bar_is_proportional_to_its_clicks():
    points = [
        Point(start=f"2026-11-0{n}T00:00:00+00:00", total=n, human=n - 1, machine=1, opens=0)
        for n in range(1, 6)
    ]
    chart = charts.build_clicks_chart(points, "day")
    assert chart is not None
    pixels_per_click = (charts.PLOT_BOTTOM - charts.PLOT_TOP) / chart.grid_lines[-1].clicks
    for point, bar in zip(points, chart.bars, strict=True):
        assert charts.PLOT_BOTTOM - bar.human_top == pytest.approx(point.human * pixels_per_click)
        assert bar.human_top - bar.top == pytest.approx(point.machine * pixels_per_click)
        assert bar.x + chart.bar_width <= 100


@pytest.mark.parametrize("days", [1, 6, 7, 13, 97, 1_000])
def test_time_labels_do_not_overlap(days):
    first = NOON.replace(hour=0)
    starts = [(first + timedelta(days=n)).isoformat() for n in range(days)]
    points = [Point(start=at, total=1, human=1, machine=0, opens=0) for at in starts]
    chart = charts.build_clicks_chart(points, "day")
    assert chart is not None
    for labels, most in (
        (chart.time_labels, charts.MAX_TIME_LABELS),
        ([each for each in chart.time_labels if each.is_on_phones], charts.MAX_PHONE_TIME_LABELS),
    ):
        assert 1 <= len(labels) <= most
        ends = [each.x for each in labels[1:]] + [100]
        gaps = [end - each.x for each, end in zip(labels, ends, strict=True)]
        assert min(gaps[:-1], default=100) >= 100 / most - 0.01
        assert gaps[-1] >= charts.LABEL_PART * 100 / most - 0.01


def test_a_series_without_points_has_no_chart():
    assert charts.build_clicks_chart([], "hour") is None


def test_link_page_shows_people_only_with_a_people_share(workspace, visit, links):
    query = {"workspace": "acme", "campaign": "spring", "link": links[0]}
    with_people = visit("link", workspace.create_share_token("spring", people=True), **query)[
        "body"
    ]
    without_people = visit("link", workspace.create_share_token("spring"), **query)["body"]
    assert "ada" in read_main_text(with_people)
    assert "ada" not in read_main_text(without_people)
    assert read_figures(with_people) == read_figures(without_people)


def test_the_csv_export_contains_the_people_of_the_page(workspace, visit, links):
    query = {"workspace": "acme", "campaign": "spring", "link": links[0]}
    answer = visit("people.csv", workspace.create_share_token("spring", people=True), **query)
    assert answer["headers"]["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer["body"])))
    assert [(row["person"], row["clicks"]) for row in rows] == [("ada", "2")]


def test_a_link_of_another_campaign_is_not_found(workspace, visit, links):
    workspace.register_campaign("other", [build_link_definition("https://example.com/o")])
    query = {"workspace": "acme", "campaign": "other", "link": links[0]}
    token = workspace.create_share_token("other", people=True)
    for page in ("link", "people.csv", "people.ndjson"):
        assert visit(page, token, **query)["statusCode"] == 404


def test_person_page_shows_clicks_of_all_campaigns(workspace, visit, links):
    answer = visit(
        "person", workspace.create_share_token(people=True), workspace="acme", person="ada"
    )
    page = LexborHTMLParser(answer["body"])
    assert len(page.css("ol.activity li")) == 2
    assert "Safari on iPhone" in read_main_text(answer["body"])
    assert "https://example.com/home" in read_main_text(answer["body"])  # the destination


def test_click_map_changes_only_link_destinations(workspace, visit, links):
    workspace.archive_message(derive_campaign_id("acme", "spring"), MESSAGE)
    query = {"workspace": "acme", "campaign": "spring"}
    framed = visit("message", workspace.create_share_token("spring"), **query)["body"]
    style, message = framed.partition("</style>")[::2]
    assert message == (
        '<p>Dear {{ customer.name }} <a href="#waypost-4-1">a</a>'
        "<a href=#waypost-2-2 data-cio-tag=CTA>b</a> <a href='#'>c</a></p>"
    )
    assert 'a[href="#waypost-4-1"]::after{content:"1 · 67%"' in style
    shown = visit("map", workspace.create_share_token("spring"), **query)["body"]
    frame = select_one(shown, "iframe")
    assert frame.attributes["sandbox"] in ("", None)
    assert "sandbox" in frame.attributes


def test_a_cio_link_in_text_keeps_its_url(workspace, visit):
    workspace.register_campaign("tag", [build_link_definition("https://example.com/t")])
    message = "<p>{% cio_link url:https://example.com/t %}</p>"
    workspace.archive_message(derive_campaign_id("acme", "tag"), message)
    body = visit("message", workspace.create_share_token("tag"), workspace="acme", campaign="tag")[
        "body"
    ]
    assert body.endswith("<p>https://example.com/t (1 · 0%)</p>")


def test_a_message_rendered_for_one_person_needs_a_people_share(workspace, visit, links):
    workspace.archive_message(
        derive_campaign_id("acme", "spring"), "<p>Dear Ada</p>", rendered=True
    )
    query = {"workspace": "acme", "campaign": "spring"}
    assert visit("message", workspace.create_share_token("spring"), **query)["statusCode"] == 403
    assert "iframe" not in visit("map", workspace.create_share_token("spring"), **query)["body"]
    token = workspace.create_share_token("spring", people=True)
    assert "Dear Ada" in visit("message", token, **query)["body"]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (MessageAbsence.NO_HTML, "have no HTML"),
        (MessageAbsence.TOO_LARGE, "too large to store"),
        (MessageAbsence.ERASED, "its recipient was erased"),
        (MessageAbsence.EXPIRED, "has expired"),
        (MessageAbsence.NOT_STORED, "No message of this campaign was stored"),
        (MessageAbsence.CORRUPT, "cannot be read"),
    ],
)
def test_click_map_names_the_reason_for_a_missing_message(
    workspace, visit, links, monkeypatch, reason, text
):
    monkeypatch.setattr(workspace.messages, "get", lambda _: reason)
    query = {"workspace": "acme", "campaign": "spring"}
    token = workspace.create_share_token("spring")
    assert text in read_main_text(visit("map", token, **query)["body"])
    assert visit("message", token, **query)["statusCode"] == 404


def test_an_erased_link_is_shown_with_its_figures(workspace, visit):
    mark = RecipientMark("a" * 32)
    definition = LinkDefinition("url:own", "https://example.com/?email=ada", None, 1, mark)
    (link,) = workspace.register_campaign("own", [definition])
    workspace.record_click(link, "1", person="ada")
    workspace.campaigns.erase_link(link, mark.hash)
    token, query = workspace.create_share_token("own"), {"workspace": "acme", "campaign": "own"}
    for page in ("campaign", "map", "link"):
        text = read_main_text(visit(page, token, **query, link=link)["body"])
        assert "Erased link" in text
        assert "email=ada" not in text


def test_images_of_a_message_load_only_on_request(workspace, visit, links):
    workspace.archive_message(
        derive_campaign_id("acme", "spring"), "<img src=https://example.com/x.png>"
    )
    query = {"workspace": "acme", "campaign": "spring"}
    policies = [
        visit("message", workspace.create_share_token("spring"), **query, **parameters)["headers"][
            "content-security-policy"
        ]
        for parameters in ({}, {"images": "true"})
    ]
    assert ["https:" in policy for policy in policies] == [False, True]


def test_domains_page_shows_lights_records_and_next_steps(workspace, visit):
    empty = visit("domains", workspace.create_share_token(), workspace="acme")
    assert "no tracking domain" in empty["body"]
    workspace.create_services().domain_service.add_domain(
        "acme", AddDomainRequest(host="links.acme.example.com")
    )
    page = visit("domains", workspace.create_share_token(), workspace="acme")["body"]
    assert select_one(page, "section h2").text() == "links.acme.example.com"
    assert len(LexborHTMLParser(page).css("tbody tr .light")) >= 3
    (domain,) = workspace.create_services().domain_service.list_domains("acme").domains
    for record in domain.records:
        assert record.name in read_main_text(page)
        assert record.value in read_main_text(page)
    for light in domain.lights.values():
        assert light.next_step in read_main_text(page)


def test_settings_page_shows_every_setting(workspace, visit):
    hostile = HOSTILE.replace("7*7", "7")  # valid Liquid
    workspace.create_services().workspace_settings.change_settings(
        "acme", SettingsChange(url_params={"utm_source": hostile}, never_track=[HOSTILE])
    )
    shown = read_main_text(
        visit("settings", workspace.create_share_token(), workspace="acme")["body"]
    )
    assert f"utm_source={hostile}" in shown
    assert HOSTILE in shown
    settings = set(workspace.create_services().workspace_settings.get_settings("acme").model_dump())
    template = (files("waypost.web") / "templates/settings.html").read_text("utf-8")
    assert [key for key in settings if f"settings.{key}" not in template] == []


def test_foreign_text_is_escaped(workspace, visit):
    (link,) = workspace.register_campaign(
        HOSTILE, [build_link_definition(f"javascript:{HOSTILE}", HOSTILE)]
    )
    workspace.record_click(link, "1", person=HOSTILE, agent=HOSTILE, href=f"javascript:{HOSTILE}")
    tokens = (
        workspace.create_share_token(HOSTILE, people=True),
        workspace.create_share_token(people=True),
    )
    query = {"workspace": "acme", "campaign": HOSTILE, "link": link, "person": HOSTILE}
    for page in ("campaign", "map", "link", "person", "workspace"):
        answer = visit(page, *tokens, **query)
        assert answer["statusCode"] == 200, page
        parsed = LexborHTMLParser(answer["body"])
        assert not parsed.css("script"), page
        assert not [a for a in parsed.css("a[href]") if "script" in str(a.attributes["href"])[:15]]
        assert "49" not in re.sub(r"#\w+", "", read_main_text(answer["body"]))
        if page != "workspace":
            assert HOSTILE in read_main_text(answer["body"])


def test_invisible_characters_of_a_url_are_percent_encoded(workspace, visit):
    turned = "https://example.com/\u202egnp.exe\u200b"
    (link,) = workspace.register_campaign("spring", [build_link_definition(turned)])
    workspace.record_click(link, "1", person="ada", href=turned)
    query = {"workspace": "acme", "campaign": "spring", "link": link, "person": "ada"}
    for page in ("campaign", "map", "link", "person"):
        shown = read_main_text(
            visit(page, workspace.create_share_token(people=True), **query)["body"]
        )
        assert "https://example.com/%E2%80%AEgnp.exe%E2%80%8B" in shown, page


def test_a_long_url_is_shortened_except_on_its_own_page(workspace, visit):
    long = "https://example.com/" + "long/" * 300 + "end?q=1"
    (link,) = workspace.register_campaign("spring", [build_link_definition(long)])
    workspace.record_click(link, "1", person="ada", href=long)
    query = {"workspace": "acme", "campaign": "spring", "link": link, "person": "ada"}
    for page in ("campaign", "map", "link", "person"):
        shown = read_main_text(
            visit(page, workspace.create_share_token(people=True), **query)["body"]
        )
        assert (long in shown) == (page in ("link", "person")), page
        assert shown.count("long/") <= 350
        assert "end?q=1" in shown


def test_names_are_isolated_from_the_text_direction(workspace, visit):
    """A right-to-left name must not move the text around it."""
    name = "\u05d7\u05d2\u05d9\u05d2\u05d4 2026"
    (link,) = workspace.register_campaign(
        name, [build_link_definition("https://example.com", name)]
    )
    workspace.record_click(link, "1", person=name)
    query = {"workspace": "acme", "campaign": name, "link": link, "person": name}
    for page in ("workspace", "campaign", "map", "link", "person"):
        body = LexborHTMLParser(
            visit(page, workspace.create_share_token(people=True), **query)["body"]
        ).body
        assert body is not None
        isolated = [node for node in body.css("bdi") if name in node.text()]
        assert body.text().count(name) == len(isolated) > 0, page


@pytest.mark.parametrize(
    ("page", "query", "status"),
    [
        ("campaign", {"campaign": "unknown"}, 404),
        ("map", {"campaign": "unknown"}, 404),
        ("message", {"campaign": "spring"}, 404),
        ("link", {"campaign": "spring", "link": "x"}, 404),
        ("person", {"person": "nobody"}, 404),
        ("nothing", {}, 404),
        ("campaign", {}, 400),
        ("campaign", {"campaign": "spring", "zone": "Nowhere"}, 400),
        ("campaign", {"campaign": "spring", "by": "minute"}, 400),
        ("person", {"person": "ada", "cursor": "!"}, 400),
    ],
)
def test_errors_are_html_pages_with_their_status(workspace, visit, links, page, query, status):
    answer = visit(page, workspace.create_share_token(people=True), workspace="acme", **query)
    assert answer["statusCode"] == status
    assert answer["headers"]["content-type"].startswith("text/html")
    assert select_one(answer["body"], "h1").text()


@pytest.mark.parametrize("campaign", [None, "spring"])
def test_error_pages_link_to_the_first_page_of_the_share(workspace, visit, links, campaign):
    token = workspace.create_share_token(campaign)
    query = {"workspace": "acme", "campaign": "spring"}
    first = "workspace" if campaign is None else "campaign"
    for page, wrong in (
        ("link", {"link": "x"}),
        ("campaign", {"zone": "Nowhere"}),
        ("nothing", {}),
    ):
        shown = LexborHTMLParser(visit(page, token, **query, **wrong)["body"])
        links_back = [str(a.attributes["href"]) for a in shown.css("nav a")]
        assert links_back[0].startswith(f"/reports/{first}?"), page
        parameters = dict(parse_qsl(urlsplit(links_back[0]).query))
        assert visit(first, token, **parameters)["statusCode"] == 200
    for refused in (visit("link", **query), visit("campaign", token, workspace="other")):
        assert not LexborHTMLParser(refused["body"]).css("nav a")


def test_suggested_time_zones_exist(workspace, visit, links):
    query = {"workspace": "acme", "campaign": "spring"}
    page = visit("campaign", workspace.create_share_token("spring"), **query)["body"]
    options = LexborHTMLParser(page).css("datalist option")
    assert len(options) > 20
    assert {str(zone.attributes["value"]) for zone in options} <= available_timezones()


def test_every_page_has_its_security_headers(workspace, visit, links):
    workspace.archive_message(derive_campaign_id("acme", "spring"), MESSAGE)
    query = {"workspace": "acme", "campaign": "spring", "link": links[0], "person": "ada"}
    token = workspace.create_share_token(people=True)
    pages = ("workspace", "campaign", "map", "message", "link", "person", "domains", "settings")
    for page in (*pages, "nothing"):
        headers = visit(page, token, **query)["headers"]
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert ("img-src" in policy) == (page == "message")
        assert ("unsafe-inline" in policy) == ("sandbox;" in policy) == (page == "message")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"

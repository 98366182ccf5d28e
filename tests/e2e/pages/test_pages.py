"""Report pages in a browser: figures, share links, accessibility and no foreign scripts."""

from __future__ import annotations

import csv
import html
import re
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from axe_core_python.sync_playwright import Axe
from playwright.sync_api import Dialog, Page, expect

from tests.e2e.pages.conftest import PagesCampaign
from waypost.ids import derive_campaign_id
from waypost.path_names import encode_path_name
from waypost.reports.schemas import LinkFigures, Series
from waypost.reports.share_links import ShareScope
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.web.rendering import render_page

MESSAGE = (
    '<p>Hello <a href="https://example.com/sale?a=1&amp;b=2" data-cio-tag="CTA">Sale</a> '
    '<a href="https://example.com/about">About</a></p>'
)
NO_CLICKS = Series(campaign="c", zone="UTC", by="day", points=[])
# Marks the document, so a test sees that a script ran whatever the script does next.
RAN = "document.documentElement.dataset.ran='yes'"
SCRIPTS = (
    f"<script>{RAN}</script><img src=x onerror={RAN}><svg onload={RAN}></svg>"
    f'"><script>{RAN}</script>\'"><img src=x onerror="{RAN}">'
)


def build_query(campaign: PagesCampaign, **more: str) -> str:
    return urlencode({"workspace": campaign.workspace, "campaign": campaign.campaign, **more})


def read_figure(page: Page, name: str) -> int:
    return int(page.locator(f"dl.figures [data-figure={name}]").inner_text())


def test_figures_include_a_click_in_the_browser(campaign, context, page):
    shop = campaign.stack.url.replace("127.0.0.1", "localhost") + "/_local?a=1&b=2"
    (ada, ben) = campaign.send_message(f'<a href="{html.escape(shop)}">Shop</a>', "ada", "ben")
    page.goto(campaign.create_share(campaign=campaign.campaign))
    assert read_figure(page, "total") == 0
    clicking = context.new_page()
    clicking.goto(ada[0])
    assert clicking.url == f"{shop}&_cio_id=ada"
    clicking.goto(ben[0])
    campaign.wait_until_counted()
    page.reload()
    assert (
        read_figure(page, "total"),
        read_figure(page, "clicked"),
        read_figure(page, "deliveries"),
    ) == (2, 2, 2)
    expect(page.locator("svg.chart")).to_be_visible()


def test_page_api_export_and_click_table_have_the_same_figures(campaign, page, tmp_path, stack):
    people = [f"p{n}" for n in range(5)]
    for n, links in enumerate(campaign.send_message(MESSAGE, *people)):
        for _ in range(n):
            campaign.click(links[n % 2])
    campaign.wait_until_counted()
    report = campaign.fetch(f"campaigns/{encode_path_name(campaign.campaign)}")
    table = stack.ref("ClicksTable")
    ledger = list(
        DynamoClickRepository(stack.cloud.client("dynamodb"), table).scan_by_campaign(
            derive_campaign_id(campaign.workspace, campaign.campaign)
        )
    )
    assert report["clicks"]["total"] == len(ledger) == 10
    page.goto(campaign.create_share(campaign=campaign.campaign, people=True))
    for name in ("total", "unique", "human", "machine"):
        assert read_figure(page, name) == report["clicks"][name]
    for link in report["links"]:
        clicks = [click for click in ledger if click.link == link["link"]]
        page.locator(f"tr[data-link='{link['link']}'] a").click()
        assert read_figure(page, "total") == link["total"] == len(clicks)
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        saved = tmp_path / "people.csv"
        download.value.save_as(saved)
        rows = list(csv.DictReader(saved.read_text().splitlines()))
        assert {row["person"] for row in rows} == {click.person for click in clicks}
        assert sum(int(row["clicks"]) for row in rows) == link["total"]
        assert len(rows) == link["unique"]
        page.go_back()


def test_workspace_page_links_to_each_campaign(campaign, stack, http, page):
    first = PagesCampaign(stack, http, "listed", "spring & summer / 1")
    second = PagesCampaign(stack, http, "listed", "<b>autumn</b>")
    for each in (first, second):
        (links,) = each.send_message(MESSAGE, "ada")
    second.click(links[0])
    second.wait_until_counted()
    page.goto(first.create_share())
    rows = page.locator("table.campaigns tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("<b>autumn</b>")
    listed = first.fetch("campaigns")
    assert [each["campaign"] for each in listed["campaigns"]] == [second.campaign, first.campaign]
    assert [each["clicks"] for each in listed["campaigns"]] == [1, 0]
    page.get_by_role("link", name="spring & summer / 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("spring & summer / 1")
    page.get_by_role("link", name="listed").click()
    page.get_by_role("link", name="<b>autumn</b>").click()
    assert read_figure(page, "total") == 1
    page.context.clear_cookies()
    page.goto(first.create_share(campaign=first.campaign))
    assert page.get_by_role("link", name="listed").count() == 0
    assert page.goto(first.page_url(f"workspace?{build_query(first)}")).status == 403


def test_a_printed_page_is_dark_on_white(campaign, page):
    campaign.send_message(MESSAGE, "ada")
    page.goto(campaign.create_share())
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(campaign.page_url(f"campaign?{build_query(campaign)}"))
    color = page.evaluate("e => getComputedStyle(document.body).color")
    assert max(map(int, re.findall(r"\d+", color))) < 64
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("dl.figures")).to_be_visible()


def test_erasing_a_person_changes_no_figure_on_the_page(campaign, page):
    links, others = campaign.send_message(MESSAGE, "erika", "ben")
    for each in (*links, links[0], others[0]):
        campaign.click(each)
    campaign.wait_until_counted()
    page.goto(campaign.create_share(campaign=campaign.campaign, people=True))
    before = page.locator("main").inner_text()
    person = campaign.fetch("people/erika/activity")["clicks"]
    assert len(person) == 3
    answer = campaign.http("DELETE", campaign.api_url("people/erika?person=erika"))
    assert (answer.status, answer.json()["clicks"]) == (202, 3)
    assert 0 < answer.json()["again_in"] <= 90
    page.reload()
    assert page.locator("main").inner_text() == before
    page.locator("table.links a").first.click()
    expect(page.locator("main")).not_to_contain_text("erika")
    expect(page.locator("main")).to_contain_text("ben")
    campaign.click(links[0])
    campaign.wait_until_counted()
    assert campaign.http("GET", campaign.api_url("people/erika/activity")).status == 404


def test_click_map_shows_the_share_of_each_link(campaign, page):
    (links,) = campaign.send_message(MESSAGE, "ada", liquid=True)
    campaign.click(links[0])
    campaign.wait_until_counted()
    page.goto(campaign.create_share(campaign=campaign.campaign))
    page.get_by_role("link", name="Click map").click()
    hot = page.frame_locator("iframe.message").get_by_text("Sale")
    expect(hot).to_be_visible()
    badge = hot.evaluate("e => getComputedStyle(e, '::after').content")
    assert badge == '"1 · 100%"'


def test_invalid_share_links_are_refused(campaign, page):
    campaign.send_message(MESSAGE, "ada")
    scope = ShareScope(campaign.workspace, campaign.campaign)
    valid, expired = campaign.make_token(scope), campaign.make_token(scope, age=timedelta(hours=2))
    other = campaign.make_token(ShareScope(campaign.workspace, "another"))
    tampered = valid[:10] + ("A" if valid[10] != "A" else "B") + valid[11:]
    for token, text in ((expired, "expired"), (tampered, "invalid or revoked")):
        answer = page.goto(campaign.page_url(f"open/{token}"))
        assert answer.status == 403
        expect(page.get_by_text(text)).to_be_visible()
    page.goto(campaign.page_url(f"open/{other}"))
    assert page.goto(campaign.page_url(f"campaign?{build_query(campaign)}")).status == 403
    page.goto(campaign.page_url(f"open/{valid}"))
    assert page.goto(campaign.page_url(f"campaign?{build_query(campaign)}")).status == 200
    assert page.goto(campaign.page_url(f"settings?{build_query(campaign)}")).status == 403


def test_share_token_is_in_no_referer_and_hidden_from_scripts(campaign, context, page):
    campaign.send_message(MESSAGE, "ada")
    referers = []
    context.on("request", lambda request: referers.append(request.headers.get("referer")))
    address = campaign.create_share(campaign=campaign.campaign)
    page.goto(address)
    token = address.rpartition("/")[2]
    assert token not in page.url
    page.get_by_role("link", name="Click map").click()
    assert set(referers) == {None}
    (cookie,) = [each for each in context.cookies() if each["value"] == token]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert token not in page.evaluate("document.cookie")


def has_run_script(page: Page) -> bool:
    """Return if a frame of the page has the mark of a script."""
    for frame in page.frames:
        frame.wait_for_load_state()
    return any(
        frame.evaluate("document.documentElement.dataset.ran === 'yes'") for frame in page.frames
    )


def test_the_script_detector_detects_scripts(page):
    page.set_content(f"<p>{SCRIPTS}</p>")
    page.wait_for_function("document.documentElement.dataset.ran === 'yes'")
    assert has_run_script(page)


@pytest.mark.parametrize("pictures", ["", "true"])
def test_foreign_text_runs_no_script(campaign, stack, http, page, pictures):
    hostile = PagesCampaign(
        stack, http, f"{SCRIPTS[:200]}{pictures}", f"{campaign.campaign[-5:]}{SCRIPTS[:240]}"
    )
    quoted = html.escape(f'"><script>{RAN}</script>')
    message = (
        f'<a href="https://example.com/?q={quote(SCRIPTS)}">a</a>{SCRIPTS}'
        f'<a href="javascript:{RAN}" data-cio-tag="x">j</a>'
        f'<a href="https://example.com/t" data-cio-tag="{quoted}">t</a>'
        f'<iframe srcdoc="{quoted}"></iframe><base href="https://evil.example.com">'
        f'<meta http-equiv="refresh" content="0;url=javascript:{RAN}">'
        '<form action="https://evil.example.com">'
    )
    person = SCRIPTS[:250]
    (links,) = hostile.send_message(message, person, liquid=False)
    for link in links:
        hostile.click(link, agent=f"Mozilla/5.0 {SCRIPTS[:200]}")
    hostile.wait_until_counted()
    page.goto(hostile.create_share(people=True))
    link = hostile.fetch(f"people/{encode_path_name(person)}/activity")["clicks"][0]["link"]
    query = build_query(
        hostile, link=link, person=person, **({"images": pictures} if pictures else {})
    )
    dialogs = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for name in (
        "workspace",
        "campaign",
        "map",
        "message",
        "link",
        "person",
        "settings",
        "domains",
    ):
        answer = page.goto(hostile.page_url(f"{name}?{query}"))
        assert answer.status == 200, name
        page.wait_for_load_state()
        assert not has_run_script(page), name
        for anchor in page.locator("main a[href^='/reports/link']").all()[:3]:
            anchor.click()
            assert not has_run_script(page), name
            page.go_back()
    assert dialogs == []


@pytest.mark.parametrize(("look", "size"), [("light", (1000, 900)), ("dark", (375, 812))])
def test_pages_pass_the_accessibility_checks(campaign, page, look, size):
    (links,) = campaign.send_message(MESSAGE, "ada", liquid=True)
    campaign.click(links[0])
    campaign.click(links[0], agent="")
    campaign.wait_until_counted()
    page.emulate_media(color_scheme=look)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(campaign.create_share(people=True))
    link = campaign.fetch(f"campaigns/{encode_path_name(campaign.campaign)}")["links"][0]["link"]
    host = f"{'l' * 63}.{look}.example"
    campaign.http("POST", campaign.api_url("domains"), body={"host": host})
    query = build_query(campaign, link=link, person="ada")
    pages = ("workspace", "campaign", "map", "link", "person", "settings", "domains", "nothing")
    for name in pages:
        page.goto(campaign.page_url(f"{name}?{query}"))
        found = Axe().run(page)["violations"]
        assert found == [], (name, [n["html"] for f in found for n in f["nodes"]])
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} has to be scrolled sideways"


@pytest.mark.parametrize("width", [320, 1000, 1440])
@pytest.mark.parametrize("many", [12_345_678, 123_456_789_012])
def test_the_largest_figures_do_not_widen_a_page(page, width, many):
    counts = dict.fromkeys(("total", "unique", "human", "machine"), many)
    link = LinkFigures(
        link="0" * 26, url="https://e.example", tag=None, position=1, share=1, **counts
    )
    shared = {"opened_share": 1.0, "clicked_share": 1.0, "opened": many, "clicked": many}
    named = {"kind": "newsletter", "channel": "email", "first_seen": "2026-11-27T10:00:00Z"}
    report = {
        "campaign": "c",
        "deliveries": many,
        "probably_shared": many,
        "more_links": many,
        **{"clicks": counts, "links": [link]} | shared | named,
    }
    campaign_html = render_html(
        "campaign.html", campaign="c", visible_links=9, report=report, series=NO_CLICKS
    )
    listed = {"campaigns": [{"campaign": "c", "deliveries": many, "clicks": many} | shared | named]}
    page.set_viewport_size({"width": width, "height": 900})
    for body in (
        campaign_html,
        render_html("workspace.html", page=listed | {"cursor": None}, is_first=True),
    ):
        page.set_content(body)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def render_html(template: str, **values: object) -> str:
    return render_page(template, 200, scope=ShareScope("w", people=True), chart=None, **values)[
        "body"
    ]


def test_all_controls_are_reachable_by_keyboard(campaign, page):
    campaign.send_message(MESSAGE, "ada")
    page.goto(campaign.create_share(campaign=campaign.campaign))
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.innerText || document.activeElement.name")
        )
    assert reached[0] == "Skip to the report"
    assert {"Click map", "zone", "Show"} <= set(reached)


def test_pages_load_nothing_from_other_hosts(campaign, context, page, stack):
    campaign.send_message(
        MESSAGE + '<img src="https://elsewhere.example.com/pixel.png">', "ada", liquid=True
    )
    requested: list[str] = []
    context.on("requestfinished", lambda request: requested.append(request.url))
    page.goto(campaign.create_share(campaign=campaign.campaign))
    page.get_by_role("link", name="Click map").click()
    page.wait_for_load_state("networkidle")
    assert requested
    assert [url for url in requested if not url.startswith((stack.url, "data:"))] == []
    page.get_by_role("link", name="Show images").click()
    page.wait_for_load_state("networkidle")
    assert "https://elsewhere.example.com/pixel.png" in requested

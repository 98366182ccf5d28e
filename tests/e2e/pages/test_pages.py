"""Reports in a browser: what is clicked is shown, to whom it is shared, and nothing else runs."""

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
from waypost.reports.schemas import LinkFigures, Series
from waypost.reports.share_links import ShareScope
from waypost.repositories.dynamodb.clicks import DynamoClickRepository
from waypost.web.rendering import render_page as render

MESSAGE = (
    '<p>Hello <a href="https://example.com/sale?a=1&amp;b=2" data-cio-tag="CTA">Sale</a> '
    '<a href="https://example.com/about">About</a></p>'
)
# Tells that it ran by a mark on the document, which survives whatever else a page does.
NO_CLICKS = Series(campaign="c", zone="UTC", by="day", points=[])
RAN = "document.documentElement.dataset.ran='yes'"
SCRIPTS = (
    f"<script>{RAN}</script><img src=x onerror={RAN}><svg onload={RAN}></svg>"
    f'"><script>{RAN}</script>\'"><img src=x onerror="{RAN}">'
)


def names(mailing: PagesCampaign, **more: str) -> str:
    return urlencode({"workspace": mailing.workspace, "campaign": mailing.campaign, **more})


def figure(page: Page, name: str) -> int:
    return int(page.locator(f"dl.figures [data-figure={name}]").inner_text())


def test_a_click_in_the_browser_moves_the_figures(mailing, context, page):
    shop = mailing.stack.url.replace("127.0.0.1", "localhost") + "/_local?a=1&b=2"
    (ada, ben) = mailing.send(f'<a href="{html.escape(shop)}">Shop</a>', "ada", "ben")
    page.goto(mailing.share(campaign=mailing.campaign))
    assert figure(page, "total") == 0
    clicking = context.new_page()
    clicking.goto(ada[0])
    assert clicking.url == f"{shop}&_cio_id=ada"
    clicking.goto(ben[0])
    mailing.counted()
    page.reload()
    assert (figure(page, "total"), figure(page, "clicked"), figure(page, "deliveries")) == (2, 2, 2)
    expect(page.locator("svg.chart")).to_be_visible()


def test_page_api_download_and_ledger_agree(mailing, page, tmp_path, stack):
    people = [f"p{n}" for n in range(5)]
    for n, links in enumerate(mailing.send(MESSAGE, *people)):
        for _ in range(n):
            mailing.click(links[n % 2])
    mailing.counted()
    report = mailing.get(f"campaigns/{mailing.campaign}")
    table = stack.ref("ClicksTable")
    ledger = list(
        DynamoClickRepository(stack.cloud.client("dynamodb"), table).scan_by_campaign(
            derive_campaign_id(mailing.workspace, mailing.campaign)
        )
    )
    assert report["clicks"]["total"] == len(ledger) == 10
    page.goto(mailing.share(campaign=mailing.campaign, people=True))
    for name in ("total", "unique", "human", "machine"):
        assert figure(page, name) == report["clicks"][name]
    for link in report["links"]:
        clicks = [click for click in ledger if click.link == link["link"]]
        page.locator(f"tr[data-link='{link['link']}'] a").click()
        assert figure(page, "total") == link["total"] == len(clicks)
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        saved = tmp_path / "people.csv"
        download.value.save_as(saved)
        rows = list(csv.DictReader(saved.read_text().splitlines()))
        assert {row["person"] for row in rows} == {click.person for click in clicks}
        assert sum(int(row["clicks"]) for row in rows) == link["total"]
        assert len(rows) == link["unique"]
        page.go_back()


def test_a_workspaces_page_leads_to_each_of_its_campaigns(mailing, stack, http, page):
    one = PagesCampaign(stack, http, "listed", "spring & summer / 1")
    two = PagesCampaign(stack, http, "listed", "<b>autumn</b>")
    for each in (one, two):
        (links,) = each.send_message(MESSAGE, "ada")
    two.click(links[0])
    two.wait_until_counted()
    page.goto(one.create_share())
    rows = page.locator("table.campaigns tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("<b>autumn</b>")
    listed = one.fetch("campaigns")
    assert [each["campaign"] for each in listed["campaigns"]] == [two.campaign, one.campaign]
    assert [each["clicks"] for each in listed["campaigns"]] == [1, 0]
    page.get_by_role("link", name="spring & summer / 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("spring & summer / 1")
    page.get_by_role("link", name="listed").click()
    page.get_by_role("link", name="<b>autumn</b>").click()
    assert figure(page, "total") == 1
    page.context.clear_cookies()
    page.goto(one.create_share(campaign=one.campaign))
    assert page.get_by_role("link", name="listed").count() == 0
    assert page.goto(one.page_url(f"workspace?{names(one)}")).status == 403


def test_a_page_is_printed_dark_on_white(mailing, page):
    mailing.send(MESSAGE, "ada")
    page.goto(mailing.share())
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(mailing.address(f"campaign?{names(mailing)}"))
    look = page.evaluate("e => getComputedStyle(document.body).color")
    assert max(map(int, re.findall(r"\d+", look))) < 64
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator("dl.figures")).to_be_visible()


def test_support_erases_a_person_and_no_figure_on_the_page_changes(mailing, page):
    links, others = mailing.send(MESSAGE, "erika", "ben")
    for each in (*links, links[0], others[0]):
        mailing.click(each)
    mailing.counted()
    page.goto(mailing.share(campaign=mailing.campaign, people=True))
    before = page.locator("main").inner_text()
    person = mailing.get("people/erika/activity")["clicks"]
    assert len(person) == 3
    answer = mailing.http("DELETE", mailing.at("people/erika"))
    assert (answer.status, answer.json()["clicks"]) == (202, 3)
    assert 0 < answer.json()["again_in"] <= 90
    page.reload()
    assert page.locator("main").inner_text() == before
    page.locator("table.links a").first.click()
    expect(page.locator("main")).not_to_contain_text("erika")
    expect(page.locator("main")).to_contain_text("ben")
    mailing.click(links[0])
    mailing.counted()
    assert mailing.http("GET", mailing.at("people/erika/activity")).status == 404


def test_the_click_map_shows_the_message_with_shares(mailing, page):
    (links,) = mailing.send(MESSAGE, "ada", liquid=True)
    mailing.click(links[0])
    mailing.counted()
    page.goto(mailing.share(campaign=mailing.campaign))
    page.get_by_role("link", name="Click map").click()
    hot = page.frame_locator("iframe.message").get_by_text("Sale")
    expect(hot).to_be_visible()
    badge = hot.evaluate("e => getComputedStyle(e, '::after').content")
    assert badge == '"1 · 100%"'


def test_a_share_that_does_not_hold_is_refused(mailing, page):
    mailing.send(MESSAGE, "ada")
    scope = ShareScope(mailing.workspace, mailing.campaign)
    fresh, old = mailing.token(scope), mailing.token(scope, ago=timedelta(hours=2))
    elsewhere = mailing.token(ShareScope(mailing.workspace, "another"))
    tampered = fresh[:10] + ("A" if fresh[10] != "A" else "B") + fresh[11:]
    for token, said in ((old, "expired"), (tampered, "invalid or revoked")):
        answer = page.goto(mailing.address(f"open/{token}"))
        assert answer.status == 403
        expect(page.get_by_text(said)).to_be_visible()
    page.goto(mailing.address(f"open/{elsewhere}"))
    assert page.goto(mailing.address(f"campaign?{names(mailing)}")).status == 403
    page.goto(mailing.address(f"open/{fresh}"))
    assert page.goto(mailing.address(f"campaign?{names(mailing)}")).status == 200
    assert page.goto(mailing.address(f"settings?{names(mailing)}")).status == 403


def test_the_token_stands_in_no_referer_and_no_script_reads_it(mailing, context, page):
    mailing.send(MESSAGE, "ada")
    referers = []
    context.on("request", lambda request: referers.append(request.headers.get("referer")))
    address = mailing.share(campaign=mailing.campaign)
    page.goto(address)
    token = address.rpartition("/")[2]
    assert token not in page.url
    page.get_by_role("link", name="Click map").click()
    assert set(referers) == {None}
    (cookie,) = [kept for kept in context.cookies() if kept["value"] == token]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
    assert token not in page.evaluate("document.cookie")


def ran(page: Page) -> bool:
    """Whether any frame of the page has the mark of a script."""
    for frame in page.frames:
        frame.wait_for_load_state()
    return any(
        frame.evaluate("document.documentElement.dataset.ran === 'yes'") for frame in page.frames
    )


def test_a_script_that_ran_would_be_seen(page):
    page.set_content(f"<p>{SCRIPTS}</p>")
    page.wait_for_function("document.documentElement.dataset.ran === 'yes'")
    assert ran(page)


@pytest.mark.parametrize("pictures", ["", "true"])
def test_nothing_that_others_wrote_runs(mailing, stack, http, page, pictures):
    hostile = PagesCampaign(
        stack, http, f"{SCRIPTS[:200]}{pictures}", f"{mailing.campaign[-5:]}{SCRIPTS[:240]}"
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
    link = hostile.fetch(f"people/{urlencode({'': person})[1:].replace('+', '%20')}/activity")[
        "clicks"
    ][0]["link"]
    query = names(hostile, link=link, person=person, **({"images": pictures} if pictures else {}))
    dialogs = []

    def seen(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", seen)
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
        assert not ran(page), name
        for anchor in page.locator("main a[href^='/reports/link']").all()[:3]:
            anchor.click()
            assert not ran(page), name
            page.go_back()
    assert dialogs == []


@pytest.mark.parametrize(("look", "size"), [("light", (1000, 900)), ("dark", (375, 812))])
def test_anybody_can_read_the_pages(mailing, page, look, size):
    (links,) = mailing.send(MESSAGE, "ada", liquid=True)
    mailing.click(links[0])
    mailing.click(links[0], agent="")
    mailing.counted()
    page.emulate_media(color_scheme=look)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(mailing.share(people=True))
    link = mailing.get(f"campaigns/{mailing.campaign}")["links"][0]["link"]
    host = f"{'l' * 63}.{look}.example"
    mailing.http("POST", mailing.at("domains"), body={"host": host})
    query = names(mailing, link=link, person="ada")
    pages = ("workspace", "campaign", "map", "link", "person", "settings", "domains", "nothing")
    for name in pages:
        page.goto(mailing.address(f"{name}?{query}"))
        found = Axe().run(page)["violations"]
        assert found == [], (name, [n["html"] for f in found for n in f["nodes"]])
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} has to be scrolled sideways"


@pytest.mark.parametrize("width", [320, 1000, 1440])
@pytest.mark.parametrize("many", [12_345_678, 123_456_789_012])
def test_the_largest_figures_widen_no_page(page, width, many):
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
    shown = rendered(
        "campaign.html", campaign="c", visible_links=9, report=report, series=NO_CLICKS
    )
    listed = {"campaigns": [{"campaign": "c", "deliveries": many, "clicks": many} | shared | named]}
    page.set_viewport_size({"width": width, "height": 900})
    for body in (shown, rendered("workspace.html", page=listed | {"cursor": None}, is_first=True)):
        page.set_content(body)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def rendered(template: str, **values: object) -> str:
    return render(template, 200, scope=ShareScope("w", people=True), chart=None, **values)["body"]


def test_everything_is_reached_with_the_keyboard_alone(mailing, page):
    mailing.send(MESSAGE, "ada")
    page.goto(mailing.share(campaign=mailing.campaign))
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.innerText || document.activeElement.name")
        )
    assert reached[0] == "Skip to the report"
    assert {"Click map", "zone", "Show"} <= set(reached)


def test_pages_load_nothing_from_elsewhere(mailing, context, page, stack):
    mailing.send(
        MESSAGE + '<img src="https://elsewhere.example.com/pixel.png">', "ada", liquid=True
    )
    asked: list[str] = []
    context.on("requestfinished", lambda request: asked.append(request.url))
    page.goto(mailing.share(campaign=mailing.campaign))
    page.get_by_role("link", name="Click map").click()
    page.wait_for_load_state("networkidle")
    assert asked
    assert [url for url in asked if not url.startswith((stack.url, "data:"))] == []
    page.get_by_role("link", name="Show images").click()
    page.wait_for_load_state("networkidle")
    assert "https://elsewhere.example.com/pixel.png" in asked

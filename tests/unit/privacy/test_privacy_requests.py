"""Opt-outs and erasures within the time of a request, in correct steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from local.template import load_template
from tests.click_factory import CAMPAIGN, NOON, make_click
from tests.dynamodb_tables import TEMPLATE_PATH
from tests.fakes import InMemoryMessageRepository, create_in_memory_repositories
from tests.tally_factory import create_tally
from waypost.composition import Repositories
from waypost.errors import StoreUnavailable, WriteConflict
from waypost.ids import (
    CampaignId,
    LinkId,
    derive_campaign_id,
    derive_link_id,
    extract_workspace_id,
)
from waypost.maintenance.recount import RecountService
from waypost.models.campaign import (
    LinkDefinition,
    MessageAbsence,
    PersonalRecord,
    RecipientMark,
    SentMessage,
    recipient_hash,
)
from waypost.models.recipient import MAX_INLINE_CLICKS
from waypost.models.short_link import LongDestination, ShortLink
from waypost.privacy.erasure import (
    CAMPAIGNS_PER_PAGE,
    CLICKS_PER_PAGE,
    IN_FLIGHT_WINDOW,
    MAX_ROW_CONFLICTS,
    Erasure,
)
from waypost.privacy.requests import ERASURE_SECONDS, ErasureAnswer, PrivacyRequests
from waypost.repositories.recipients import Commit

ACME = extract_workspace_id(CAMPAIGN)
ERIKA = "erika@example.com"


class PrivacyHarness:
    """Stores in memory, and the use case over them. Each look at the clock takes ``ticks``."""

    def __init__(self) -> None:
        self.stores: Repositories = create_in_memory_repositories(NOON.timestamp)
        self.stores.messages = self.messages = InMemoryMessageRepository(NOON.timestamp)
        self.ticks = 0.0
        self.now = NOON
        self.audited: list[tuple[str, str, str]] = []

    def forgetting(self) -> PrivacyRequests:
        stores, clock = self.stores, count()
        return PrivacyRequests(
            workspaces=stores.workspaces,
            erasure=Erasure(stores),
            now=lambda: self.now,
            monotonic=lambda: next(clock) * self.ticks,
        )

    def audit(self, action: str, *, workspace: str, person: str) -> None:
        self.audited.append((action, workspace, person))

    def send(self, name: str, workspace: str = "acme") -> CampaignId:
        return self.stores.campaigns.get_or_create(
            workspace, name, kind="campaign", channel="email", now=NOON
        )

    def click(self, campaign: CampaignId, number: int, person: str = ERIKA) -> None:
        clicks = [
            make_click(f"{campaign}-{n}", person=person, campaign=campaign, after=n * 60.0)
            for n in range(number)
        ]
        for made in clicks:
            self.stores.clicks.record(made)
        create_tally(self.stores).count_clicks(clicks)

    def archive(self, campaign: CampaignId, html: str, recipient: str | None) -> None:
        is_rendered = recipient is not None
        message = SentMessage(
            campaign=campaign, html=html, rendered=is_rendered, expires=2**31, recipient=recipient
        )
        assert self.messages.add(message)

    def traces(self, *campaigns: CampaignId) -> Iterator[Any]:
        for campaign in campaigns:
            records: list[Any] = [*self.stores.clicks.scan_by_campaign(campaign)]
            records += self.stores.recipients.iter_by_campaign(campaign)
            yield from (record for record in records if ERIKA in str(record))

    def right(self, campaign: CampaignId) -> bool:
        stores = self.stores
        recounting = RecountService(
            stores.clicks, stores.campaigns, stores.recipients, stores.workspaces
        )
        return recounting.compare(campaign).is_consistent


def late_after(looks: int) -> Callable[[], bool]:
    left = count(1 - looks)
    return lambda: next(left) >= 0


@pytest.fixture
def harness() -> PrivacyHarness:
    return PrivacyHarness()


def test_person_is_erased_from_every_listed_campaign(harness: PrivacyHarness) -> None:
    sent = [harness.send(f"campaign {n}") for n in range(CAMPAIGNS_PER_PAGE + 5)]
    foreign = harness.send("campaign 0", "globex")
    for campaign in (sent[0], sent[50], sent[-1], foreign):
        harness.click(campaign, 2)
    done = harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert (done.clicks, done.campaigns) == (6, 3)
    assert not list(harness.traces(*sent))
    assert list(harness.traces(foreign))


def test_long_erasure_is_done_in_correct_parts(harness: PrivacyHarness) -> None:
    campaigns = [harness.send(name) for name in ("spring", "summer", "autumn")]
    for campaign in campaigns:
        harness.click(campaign, MAX_INLINE_CLICKS * 3)
    before = [harness.stores.campaigns.get_counts(campaign) for campaign in campaigns]
    harness.ticks = ERASURE_SECONDS / 2
    answers = []
    for _ in range(100):
        answers.append(harness.forgetting().erase("acme", ERIKA, harness.audit))
        now = [harness.stores.campaigns.get_counts(campaign) for campaign in campaigns]
        assert [counts.total.total for counts in now] == [counts.total.total for counts in before]
        # Half a row moved is two people until the rest follows.
        assert all(counts.total.people in (1, 2) for counts in now)
        harness.ticks *= 0.9  # a pass that finds nothing has to end within a request, too
        harness.now += timedelta(seconds=answers[-1].again_in)
        if answers[-1].done:
            break
    assert answers[-1].done
    assert len(answers) > 3
    assert now == before
    assert not list(harness.traces(*campaigns))
    assert sum(answer.clicks for answer in answers) == MAX_INLINE_CLICKS * 9
    assert all(map(harness.right, campaigns))
    told = [action for action, _, _ in harness.audited]
    assert told == ["erased in part"] * (len(answers) - 1) + ["erased"]


def test_late_tally_restores_nothing_of_an_erased_person(harness: PrivacyHarness) -> None:
    """It reads who opted out, the person is erased as a whole, and only then does it write."""
    campaign = harness.send("spring")
    opted_out, answers = harness.stores.workspaces.get_opt_outs, list[ErasureAnswer]()

    def before(people: Any) -> Any:
        known = opted_out(people)
        if not answers:
            answers.append(harness.forgetting().erase("acme", ERIKA, harness.audit))
        return known

    harness.stores.workspaces.get_opt_outs = before  # type: ignore[method-assign]
    harness.click(campaign, 1)
    assert (answers[0].done, answers[0].again_in) == (False, IN_FLIGHT_WINDOW.total_seconds())
    assert list(harness.traces(campaign))
    harness.now += IN_FLIGHT_WINDOW - timedelta(seconds=1)
    assert harness.forgetting().erase("acme", ERIKA, harness.audit).again_in == 1
    harness.now += timedelta(seconds=1)
    assert harness.forgetting().erase("acme", ERIKA, harness.audit).done
    assert not list(harness.traces(campaign))


def test_erasure_waits_for_the_timeout_of_the_tally() -> None:
    timeout = int(
        str(load_template(TEMPLATE_PATH).resources["TallyFunction"].properties["Timeout"])
    )
    assert IN_FLIGHT_WINDOW.total_seconds() >= timeout + 30


def test_each_request_continues_the_erasure(harness: PrivacyHarness) -> None:
    campaign = harness.send("spring")
    harness.click(campaign, 3 * CLICKS_PER_PAGE)
    erasing = harness.forgetting().erasure
    left = []
    for _ in range(50):
        erasing.erase(ACME, ERIKA, NOON, late_after(4))  # one page of clicks each
        page = harness.stores.clicks.list_by_person(ACME, ERIKA, cursor=None, limit=1_000)
        left.append(len(page.items))
    assert sorted(set(left), reverse=True) == [300, 200, 100, 0]
    assert left == sorted(left, reverse=True)
    assert erasing.erase(ACME, ERIKA, NOON).is_complete


def test_erasure_deletes_messages_of_the_person_only(harness: PrivacyHarness) -> None:
    own, both, template = (harness.send(name) for name in ("own", "both", "template"))
    foreign = harness.send("own", "globex")
    for campaign, people in ((own, [ERIKA]), (both, [ERIKA, "ben"]), (foreign, [ERIKA])):
        for person in people:
            recipient = recipient_hash(extract_workspace_id(campaign), f"p:{person}")
            harness.archive(campaign, f"Dear {person}", recipient)
    harness.archive(template, "Dear {{ name }}", None)
    harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert harness.messages.get(own) is MessageAbsence.ERASED
    shown = {campaign: harness.messages.get(campaign) for campaign in (both, template, foreign)}
    assert [message.html for message in shown.values() if isinstance(message, SentMessage)] == [
        "Dear ben",
        "Dear {{ name }}",
        f"Dear {ERIKA}",
    ]


def test_erasure_of_an_unknown_person_is_final_after_the_in_flight_window(
    harness: PrivacyHarness,
) -> None:
    for asked in range(2):
        done = harness.forgetting().erase("acme", ERIKA, harness.audit)
        assert (done.done, done.clicks, done.campaigns) == (bool(asked), 0, 0)
        assert harness.forgetting().get_opt_out("acme", ERIKA).opted_out
        harness.now += IN_FLIGHT_WINDOW


def test_opt_out_and_opt_in_return_their_state(harness: PrivacyHarness) -> None:
    forgetting = harness.forgetting()
    assert not forgetting.get_opt_out("acme", ERIKA).opted_out
    for _ in range(2):
        wish = forgetting.opt_out("acme", ERIKA, harness.audit)
        assert (wish.opted_out, wish.since) == (True, "2026-11-21T12:00:00.000Z")
    assert forgetting.get_opt_out("acme", ERIKA) == wish
    assert not forgetting.get_opt_out("globex", ERIKA).opted_out
    for _ in range(2):
        assert not forgetting.opt_in("acme", ERIKA, harness.audit).opted_out
    assert forgetting.get_opt_out("acme", ERIKA).since is None


def test_audit_log_names_no_person_but_distinguishes_them(harness: PrivacyHarness) -> None:
    forgetting = harness.forgetting()
    forgetting.opt_out("acme", ERIKA, harness.audit)
    forgetting.opt_in("acme", ERIKA, harness.audit)
    for _ in range(2):
        forgetting.erase("acme", ERIKA, harness.audit)
        harness.now += IN_FLIGHT_WINDOW
    forgetting.opt_out("acme", "somebody else", harness.audit)
    actions = [action for action, _, _ in harness.audited]
    assert actions == ["opted out", "opted in", "erased in part", "erased", "opted out"]
    assert {workspace for _, workspace, _ in harness.audited} == {ACME}
    assert len({person for _, _, person in harness.audited}) == 2
    assert "erika" not in str(harness.audited)


def test_unlisted_campaign_is_found_by_the_persons_clicks(harness: PrivacyHarness) -> None:
    unlisted, foreign = (
        derive_campaign_id("acme", "of before"),
        derive_campaign_id("globex", "of before"),
    )
    harness.click(unlisted, MAX_INLINE_CLICKS * 2)
    harness.click(foreign, 1)
    before = harness.stores.campaigns.get_counts(unlisted)
    done = harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert (done.campaigns, done.searched) == (1, "listed campaigns and clicks in the ledger")
    assert not list(harness.traces(unlisted))
    assert list(harness.traces(foreign))
    assert harness.stores.campaigns.get_counts(unlisted) == before
    assert harness.right(unlisted)


def test_unlisted_campaign_with_expired_clicks_is_found_by_a_scan(harness: PrivacyHarness) -> None:
    unlisted = derive_campaign_id("acme", "of before")
    harness.click(unlisted, 1)
    harness.stores.clicks = create_in_memory_repositories().clicks
    assert harness.forgetting().erase("acme", ERIKA, harness.audit).campaigns == 0
    whole = Erasure(harness.stores, scans_tables=True)
    assert whole.erase(ACME, ERIKA, NOON).campaigns == 1
    assert not list(harness.traces(unlisted))


@pytest.mark.parametrize(
    ("times", "clean"), [(MAX_ROW_CONFLICTS - 1, True), (MAX_ROW_CONFLICTS, False)]
)
def test_contended_row_and_its_clicks_are_left_for_the_next_call(
    harness: PrivacyHarness, times: int, *, clean: bool
) -> None:
    campaign = harness.send("spring")
    harness.click(campaign, MAX_INLINE_CLICKS * 3)
    before = harness.stores.campaigns.get_counts(campaign)
    real, tried = harness.stores.recipients.commit, count(1)

    def overtaken(commit: Commit) -> None:
        if next(tried) <= times:
            raise WriteConflict("somebody else was faster")
        real(commit)

    harness.stores.recipients.commit = overtaken  # type: ignore[method-assign]
    erasing = replace(harness.forgetting().erasure, sleep=lambda _: None)
    erased = erasing.erase(ACME, ERIKA, NOON)
    # A click under its alias would be counted once more while its row is not.
    assert (erased.is_complete, erased.clicks) == (clean, MAX_INLINE_CLICKS * 3 if clean else 0)
    assert harness.right(campaign)
    assert erasing.erase(ACME, ERIKA, NOON).is_complete
    assert not list(harness.traces(campaign))
    assert harness.stores.campaigns.get_counts(campaign) == before


def store_personal_data(harness: PrivacyHarness, campaign: CampaignId) -> LinkId:
    """Store a link, a destination and a short link without expiry, of Erika alone."""
    mark = RecipientMark(recipient_hash(ACME, f"p:{ERIKA}"))
    url = f"https://e.com/?email={ERIKA}"
    (link,) = harness.stores.campaigns.define_links(
        campaign, [LinkDefinition(f"url:{url}", url, None, 1, mark)], NOON
    )
    destination = LongDestination(ACME, url, recipient=mark.hash)
    harness.stores.short_links.add_destinations([destination])
    harness.stores.short_links.add([ShortLink("BCDFGHJKLMNP", "token/signature", None)])
    record = PersonalRecord(
        campaign=campaign,
        recipient=mark.hash,
        written=int(NOON.timestamp()),
        destinations=[destination.digest],
        codes=["BCDFGHJKLMNP"],
    )
    harness.stores.personal_records.add([record])
    return link


def list_records(harness: PrivacyHarness) -> list[PersonalRecord]:
    recipient = recipient_hash(ACME, f"p:{ERIKA}")
    records = harness.stores.personal_records
    return list(records.list_by_recipient(ACME, recipient, cursor=None, limit=10).items)


def test_links_and_destinations_of_the_person_are_erased(harness: PrivacyHarness) -> None:
    campaign = harness.send("spring")
    link = store_personal_data(harness, campaign)
    erased = harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert (erased.links, erased.done, erased.again_in) == (3, False, 90)
    assert ERIKA not in str(harness.stores.campaigns.list_links(campaign))
    assert link in harness.stores.campaigns.find_links([link])
    digest = LongDestination(ACME, f"https://e.com/?email={ERIKA}").digest
    assert harness.stores.short_links.get_destination(ACME, digest) is None
    assert harness.stores.short_links.get("BCDFGHJKLMNP") is None
    harness.now += IN_FLIGHT_WINDOW
    assert harness.forgetting().erase("acme", ERIKA, harness.audit).done
    assert list_records(harness) == []


def test_erasure_waits_for_a_rewrite_that_has_recorded_but_not_stored_its_links(
    harness: PrivacyHarness,
) -> None:
    campaign = harness.send("spring")
    harness.stores.workspaces.opt_out(ACME, ERIKA, NOON - 2 * IN_FLIGHT_WINDOW)
    mark = RecipientMark(recipient_hash(ACME, f"p:{ERIKA}"))
    definition = LinkDefinition("url:x", f"https://e.com/?email={ERIKA}", None, 1, mark)
    link = derive_link_id(campaign, definition.identity)
    written = int(NOON.timestamp()) - 30
    record = PersonalRecord(campaign=campaign, recipient=mark.hash, written=written, links=[link])
    harness.stores.personal_records.add([record])
    first = harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert (first.links, first.done, first.again_in) == (0, False, 60)
    harness.stores.campaigns.define_links(campaign, [definition], NOON)
    harness.stores.personal_records.add([record])
    harness.now += timedelta(seconds=60)
    last = harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert (last.links, last.done) == (1, True)
    assert list_records(harness) == []


def test_erasure_continues_after_an_interruption_at_every_call(harness: PrivacyHarness) -> None:
    campaign = harness.send("spring")
    harness.click(campaign, 2)
    store_personal_data(harness, campaign)
    harness.now += IN_FLIGHT_WINDOW
    short_links = harness.stores.short_links
    for name in ("delete_destination", "delete"):
        real = getattr(short_links, name)

        def fail(*_: object) -> bool:
            raise StoreUnavailable("away")

        setattr(short_links, name, fail)
        with pytest.raises(StoreUnavailable):
            harness.forgetting().erase("acme", ERIKA, harness.audit)
        setattr(short_links, name, real)
    harness.now += IN_FLIGHT_WINDOW
    assert harness.forgetting().erase("acme", ERIKA, harness.audit).done
    assert short_links.get("BCDFGHJKLMNP") is None
    assert list_records(harness) == []
    assert not list(harness.traces(campaign))


def test_link_that_others_have_too_survives_an_erasure(harness: PrivacyHarness) -> None:
    campaign = harness.send("spring")
    store_personal_data(harness, campaign)
    url = f"https://e.com/?email={ERIKA}"
    shared = LinkDefinition(f"url:{url}", url, None, 1)
    harness.stores.campaigns.define_links(campaign, [shared], NOON)
    harness.stores.short_links.add_destinations([LongDestination(ACME, url)])
    erased = harness.forgetting().erase("acme", ERIKA, harness.audit)
    assert erased.links == 1  # the short link
    assert [link.definition for link in harness.stores.campaigns.list_links(campaign)] == [shared]

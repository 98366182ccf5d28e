"""Opting out and erasing within the time of a request: in parts, each of which is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from local.template import load
from tests.clicks import CAMPAIGN, NOON, click
from tests.contract.conftest import TEMPLATE, Stores, memory_stores
from tests.fakes import MemoryMessages
from tests.tallies import tally_over
from waypost.errors import Conflict
from waypost.ids import CampaignCode, campaign_code, workspace_of
from waypost.maintenance.recount import Recounting
from waypost.models.campaign import SentMessage
from waypost.models.recipient import INLINE_MARKS
from waypost.privacy.erasure import CAMPAIGNS_A_PAGE, CLICKS_A_PAGE, CONFLICTS, UNDER_WAY, Erasing
from waypost.privacy.requests import SECONDS, ErasureAnswer, Forgetting
from waypost.repositories.recipients import Commit

ACME = workspace_of(CAMPAIGN)
ERIKA = "erika@example.com"


class Desk:
    """Stores in memory, and the use case over them. Each look at the clock takes ``ticks``."""

    def __init__(self) -> None:
        self.stores: Stores = memory_stores()
        self.messages = MemoryMessages(NOON.timestamp)
        self.ticks = 0.0
        self.now = NOON
        self.audited: list[tuple[str, str, str]] = []

    def forgetting(self) -> Forgetting:
        stores, clock = self.stores, count()
        listed = stores.campaigns
        return Forgetting(
            workspaces=stores.workspaces,
            erasing=Erasing(
                stores.clicks, stores.recipients, stores.workspaces, self.messages, listed
            ),
            now=lambda: self.now,
            monotonic=lambda: next(clock) * self.ticks,
        )

    def audit(self, action: str, *, workspace: str, person: str) -> None:
        self.audited.append((action, workspace, person))

    def send(self, name: str, workspace: str = "acme") -> CampaignCode:
        return self.stores.campaigns.open(
            workspace, name, kind="campaign", channel="email", now=NOON
        )

    def click(self, campaign: CampaignCode, number: int, person: str = ERIKA) -> None:
        clicks = [
            click(f"{campaign}-{n}", person=person, campaign=campaign, after=n * 60.0)
            for n in range(number)
        ]
        for made in clicks:
            self.stores.clicks.record(made)
        tally_over(self.stores).count(clicks)

    def traces(self, *campaigns: CampaignCode) -> Iterator[Any]:
        for campaign in campaigns:
            records: list[Any] = [*self.stores.clicks.of_campaign(campaign)]
            records += self.stores.recipients.of_campaign(campaign)
            yield from (record for record in records if ERIKA in str(record))

    def right(self, campaign: CampaignCode) -> bool:
        stores = self.stores
        recounting = Recounting(
            stores.clicks, stores.campaigns, stores.recipients, stores.workspaces
        )
        return recounting.compare(campaign).right


def late_after(looks: int) -> Callable[[], bool]:
    left = count(1 - looks)
    return lambda: next(left) >= 0


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_person_is_erased_from_every_listed_campaign_of_the_workspace(desk: Desk) -> None:
    sent = [desk.send(f"campaign {n}") for n in range(CAMPAIGNS_A_PAGE + 5)]
    foreign = desk.send("campaign 0", "globex")
    for campaign in (sent[0], sent[50], sent[-1], foreign):
        desk.click(campaign, 2)
    done = desk.forgetting().erase("acme", ERIKA, desk.audit)
    assert (done.clicks, done.campaigns) == (6, 3)
    assert not list(desk.traces(*sent))
    assert list(desk.traces(foreign))


def test_what_takes_longer_than_a_request_is_done_in_parts_that_are_right(desk: Desk) -> None:
    campaigns = [desk.send(name) for name in ("spring", "summer", "autumn")]
    for campaign in campaigns:
        desk.click(campaign, INLINE_MARKS * 3)
    before = [desk.stores.campaigns.counts(campaign) for campaign in campaigns]
    desk.ticks = SECONDS / 2
    answers = []
    for _ in range(100):
        answers.append(desk.forgetting().erase("acme", ERIKA, desk.audit))
        now = [desk.stores.campaigns.counts(campaign) for campaign in campaigns]
        assert [counts.total.total for counts in now] == [counts.total.total for counts in before]
        # Half a row moved is two people until the rest follows.
        assert all(counts.total.people in (1, 2) for counts in now)
        desk.ticks *= 0.9  # a pass that finds nothing has to end within a request, too
        desk.now += timedelta(seconds=answers[-1].again_in)
        if answers[-1].done:
            break
    assert answers[-1].done
    assert len(answers) > 3
    assert now == before
    assert not list(desk.traces(*campaigns))
    assert sum(answer.clicks for answer in answers) == INLINE_MARKS * 9
    assert all(map(desk.right, campaigns))
    told = [action for action, _, _ in desk.audited]
    assert told == ["erased in part"] * (len(answers) - 1) + ["erased"]


def test_a_tally_that_read_a_person_as_known_brings_nothing_back_for_good(desk: Desk) -> None:
    """It reads who opted out, the person is erased as a whole, and only then does it write."""
    campaign = desk.send("spring")
    opted_out, answers = desk.stores.workspaces.opted_out, list[ErasureAnswer]()

    def before(people: Any) -> Any:
        known = opted_out(people)
        if not answers:
            answers.append(desk.forgetting().erase("acme", ERIKA, desk.audit))
        return known

    desk.stores.workspaces.opted_out = before  # type: ignore[method-assign]
    desk.click(campaign, 1)
    assert (answers[0].done, answers[0].again_in) == (False, UNDER_WAY.total_seconds())
    assert list(desk.traces(campaign))
    desk.now += UNDER_WAY - timedelta(seconds=1)
    assert desk.forgetting().erase("acme", ERIKA, desk.audit).again_in == 1
    desk.now += timedelta(seconds=1)
    assert desk.forgetting().erase("acme", ERIKA, desk.audit).done
    assert not list(desk.traces(campaign))


def test_an_erasure_waits_as_long_as_a_tally_may_run() -> None:
    timeout = int(str(load(TEMPLATE).resources["TallyFunction"].properties["Timeout"]))
    assert UNDER_WAY.total_seconds() >= timeout + 30


def test_each_part_goes_on_where_the_one_before_it_was_left(desk: Desk) -> None:
    campaign = desk.send("spring")
    desk.click(campaign, 3 * CLICKS_A_PAGE)
    erasing = desk.forgetting().erasing
    left = []
    for _ in range(50):
        erasing.erase(ACME, ERIKA, NOON, late_after(3))  # one step each
        page = desk.stores.clicks.of_person(ACME, ERIKA, cursor=None, limit=1_000)
        left.append(len(page.items))
    assert sorted(set(left), reverse=True) == [300, 200, 100, 0]
    assert left == sorted(left, reverse=True)
    assert erasing.erase(ACME, ERIKA, NOON).clean


def test_messages_rendered_for_one_recipient_go_and_templates_stay(desk: Desk) -> None:
    rendered, template = desk.send("rendered"), desk.send("template")
    foreign = desk.send("rendered", "globex")
    for campaign, one in ((rendered, True), (template, False), (foreign, True)):
        desk.messages.keep(SentMessage(campaign=campaign, html="x", rendered=one, expires=2**31))
    desk.forgetting().erase("acme", ERIKA, desk.audit)
    assert desk.messages.message(rendered) is None
    assert desk.messages.message(template)
    assert desk.messages.message(foreign)


def test_nobody_to_erase_is_opted_out_and_erased_at_once_if_they_were_before(desk: Desk) -> None:
    for asked in range(2):
        done = desk.forgetting().erase("acme", ERIKA, desk.audit)
        assert (done.done, done.clicks, done.campaigns) == (bool(asked), 0, 0)
        assert desk.forgetting().told("acme", ERIKA).opted_out
        desk.now += UNDER_WAY


def test_opting_out_and_in_says_since_when(desk: Desk) -> None:
    forgetting = desk.forgetting()
    assert not forgetting.told("acme", ERIKA).opted_out
    for _ in range(2):
        wish = forgetting.opt_out("acme", ERIKA, desk.audit)
        assert (wish.opted_out, wish.since) == (True, "2026-11-21T12:00:00.000Z")
    assert forgetting.told("acme", ERIKA) == wish
    assert not forgetting.told("globex", ERIKA).opted_out
    for _ in range(2):
        assert not forgetting.opt_in("acme", ERIKA, desk.audit).opted_out
    assert forgetting.told("acme", ERIKA).since is None


def test_the_audit_names_nobody_and_tells_people_apart(desk: Desk) -> None:
    forgetting = desk.forgetting()
    forgetting.opt_out("acme", ERIKA, desk.audit)
    forgetting.opt_in("acme", ERIKA, desk.audit)
    for _ in range(2):
        forgetting.erase("acme", ERIKA, desk.audit)
        desk.now += UNDER_WAY
    forgetting.opt_out("acme", "somebody else", desk.audit)
    actions = [action for action, _, _ in desk.audited]
    assert actions == ["opted out", "opted in", "erased in part", "erased", "opted out"]
    assert {workspace for _, workspace, _ in desk.audited} == {ACME}
    assert len({person for _, _, person in desk.audited}) == 2
    assert "erika" not in str(desk.audited)


def test_a_campaign_of_no_list_is_found_by_its_clicks(desk: Desk) -> None:
    unlisted, foreign = campaign_code("acme", "of before"), campaign_code("globex", "of before")
    desk.click(unlisted, INLINE_MARKS * 2)
    desk.click(foreign, 1)
    before = desk.stores.campaigns.counts(unlisted)
    done = desk.forgetting().erase("acme", ERIKA, desk.audit)
    assert (done.campaigns, done.searched) == (1, "listed campaigns and clicks in the ledger")
    assert not list(desk.traces(unlisted))
    assert list(desk.traces(foreign))
    assert desk.stores.campaigns.counts(unlisted) == before
    assert desk.right(unlisted)


def test_a_campaign_of_no_list_whose_clicks_expired_is_found_in_the_whole_table(desk: Desk) -> None:
    unlisted = campaign_code("acme", "of before")
    desk.click(unlisted, 1)
    desk.stores = replace(desk.stores, clicks=memory_stores().clicks)
    assert desk.forgetting().erase("acme", ERIKA, desk.audit).campaigns == 0
    erasing = desk.forgetting().erasing
    whole = Erasing(erasing.ledger, erasing.recipients, erasing.workspaces, erasing.messages)
    assert whole.erase(ACME, ERIKA, NOON).campaigns == 1
    assert not list(desk.traces(unlisted))


@pytest.mark.parametrize(("times", "clean"), [(CONFLICTS - 1, True), (CONFLICTS, False)])
def test_a_row_that_others_keep_writing_to_is_left_for_the_next_call_and_so_are_its_clicks(
    desk: Desk, times: int, *, clean: bool
) -> None:
    campaign = desk.send("spring")
    desk.click(campaign, INLINE_MARKS * 3)
    before = desk.stores.campaigns.counts(campaign)
    real, tried = desk.stores.recipients.commit, count(1)

    def overtaken(commit: Commit) -> None:
        if next(tried) <= times:
            raise Conflict("somebody else was faster")
        real(commit)

    desk.stores.recipients.commit = overtaken  # type: ignore[method-assign]
    erasing = replace(desk.forgetting().erasing, sleep=lambda _: None)
    erased = erasing.erase(ACME, ERIKA, NOON)
    # A click under its alias would be counted once more while its row is not.
    assert (erased.clean, erased.clicks) == (clean, INLINE_MARKS * 3 if clean else 0)
    assert desk.right(campaign)
    assert erasing.erase(ACME, ERIKA, NOON).clean
    assert not list(desk.traces(campaign))
    assert desk.stores.campaigns.counts(campaign) == before

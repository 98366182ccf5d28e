"""The tally over the in-memory twins: what is counted, told, given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.clicks import CAMPAIGN, NOON, click, link
from tests.contract.conftest import Stores, memory_stores
from tests.tallies import tally_over
from waypost.bot_detection.scoring import Verdict
from waypost.errors import Conflict, StoreUnavailable
from waypost.ids import campaign_code, workspace_of
from waypost.models.click import Click
from waypost.models.counters import Counts
from waypost.models.recipient import Mark, Row, RowKey, click_hash
from waypost.models.workspace import EventPolicy, WorkspaceSettings
from waypost.repositories.recipients import ACTIONS, Commit
from waypost.tally.service import Tally
from waypost.tally.transactions import ROUNDS, Policy, Standing, plan

ACME = workspace_of(CAMPAIGN)


class Bus:
    def __init__(self) -> None:
        self.told: list[tuple[Click, Verdict]] = []
        self.refused: set[str] = set()
        self.down = False

    def tell(self, clicks: Sequence[tuple[Click, Verdict]]) -> set[str]:
        if self.down:
            raise StoreUnavailable("down")
        taken = [(made, verdict) for made, verdict in clicks if made.id not in self.refused]
        self.told += taken
        return {made.id for made, _ in taken}

    @property
    def ids(self) -> list[str]:
        return [made.id for made, _ in self.told]


@pytest.fixture
def stores() -> Stores:
    return memory_stores()


@pytest.fixture
def bus() -> Bus:
    return Bus()


def tally_of(stores: Stores, bus: Bus | None, recipients: Any = None) -> Tally:
    return tally_over(replace(stores, recipients=recipients or stores.recipients), bus)


@pytest.fixture
def tally(stores: Stores, bus: Bus) -> Tally:
    return tally_of(stores, bus)


def total(stores: Stores) -> Counts:
    return stores.campaigns.counts(CAMPAIGN).total


class Breaking:
    """A store of recipients whose methods fail as told, so many times."""

    def __init__(self, inner: Any, **failures: tuple[int, Exception]) -> None:
        self.inner, self.failures = inner, dict(failures)
        self.after = False  # whether the work is done before it fails

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            left, error = self.failures.get(name, (0, ValueError()))
            if not left:
                return method(*args, **kwargs)
            self.failures[name] = (left - 1, error)
            if self.after:
                method(*args, **kwargs)
            raise error

        return call


def test_a_click_given_twice_counts_once(stores: Stores, tally: Tally) -> None:
    assert tally.count([click(), click()]).fresh == 1
    assert tally.count([click()]).fresh == 0
    assert total(stores).total == 1


def test_clicks_of_many_campaigns_are_counted_each_in_its_own(stores: Stores, tally: Tally) -> None:
    autumn = campaign_code("acme", "autumn")
    assert tally.count([click("a"), click("b", campaign=autumn)]).fresh == 2
    assert total(stores).total == 1
    assert stores.campaigns.counts(autumn).total.total == 1


def test_a_burst_found_late_labels_the_clicks_before_it(stores: Stores, tally: Tally) -> None:
    tally.count([click(name, name=name, after=n) for n, name in enumerate("abc")])
    assert (total(stores).human, total(stores).machine) == (3, 0)
    tally.count([click("d", name="d", after=3)])
    counts = stores.campaigns.counts(CAMPAIGN)
    assert (counts.total.human, counts.total.machine) == (0, 4)
    assert (counts.total.people, counts.total.people_human) == (1, 0)
    assert counts.links[link("a")] == Counts(machine=1, people=1)


def test_the_workspaces_threshold_decides(stores: Stores, bus: Bus) -> None:
    stores.workspaces.save("acme", WorkspaceSettings(machine_threshold=40))
    tally_of(stores, bus).count([click(asn=16509)])
    assert total(stores).machine == 1


def test_another_writers_faster_commit_is_read_again(stores: Stores, bus: Bus) -> None:
    breaking = Breaking(stores.recipients, commit=(2, Conflict("faster")))
    counted = tally_of(stores, bus, breaking).count([click()])
    assert (counted.fresh, counted.conflicts, counted.failed) == (1, 2, set())
    assert total(stores).total == 1


def test_a_commit_whose_answer_got_lost_counts_and_is_told_once(stores: Stores, bus: Bus) -> None:
    breaking = Breaking(stores.recipients, commit=(1, StoreUnavailable("timeout")))
    breaking.after = True
    assert tally_of(stores, bus, breaking).count([click()]).failed == set()
    assert (total(stores).total, bus.ids) == (1, ["click-1"])


@pytest.mark.parametrize("method", ["rows", "commit"])
def test_a_store_that_stays_away_gives_the_clicks_back(
    stores: Stores, bus: Bus, method: str
) -> None:
    breaking = Breaking(stores.recipients, **{method: (ROUNDS, StoreUnavailable("away"))})
    tally = tally_of(stores, bus, breaking)
    counted = tally.count([click("a"), click("b", person="p2")])
    assert (counted.fresh, counted.failed, bus.ids) == (0, {"a", "b"}, [])
    assert tally.count([click("a"), click("b", person="p2")]).fresh == 2


def test_every_counted_click_is_told_with_its_verdict(tally: Tally, bus: Bus) -> None:
    tally.count([click("a"), click("b", person="p2", agent="curl/8")])
    assert {(made.id, verdict.kind) for made, verdict in bus.told} == {
        ("a", "human"),
        ("b", "machine"),
    }


def test_what_the_bus_refused_is_told_when_it_comes_again(tally: Tally, bus: Bus) -> None:
    bus.refused = {"b"}
    clicks = [click("a"), click("b", person="p2")]
    assert tally.count(clicks).failed == {"b"}
    bus.refused = set()
    assert tally.count(clicks).failed == set()
    assert bus.ids == ["a", "b"]


def test_a_bus_that_is_down_loses_nothing(stores: Stores, tally: Tally, bus: Bus) -> None:
    bus.down = True
    assert tally.count([click()]).failed == {"click-1"}
    assert total(stores).total == 1
    bus.down = False
    assert tally.count([click()]).failed == set()
    assert tally.count([click()]).failed == set()
    assert bus.ids == ["click-1"]


@pytest.mark.parametrize("method", ["notices", "told"])
def test_an_unreadable_notice_gives_the_click_back(stores: Stores, bus: Bus, method: str) -> None:
    bus.down = method == "notices"
    tally_of(stores, bus).count([click()] if bus.down else [])
    bus.down = False
    breaking = Breaking(stores.recipients, **{method: (1, StoreUnavailable("away"))})
    assert tally_of(stores, bus, breaking).count([click()]).failed == {"click-1"}


def told_under(stores: Stores, bus: Bus, events: EventPolicy) -> list[str]:
    stores.workspaces.save("acme", WorkspaceSettings(events=events))
    tally = tally_of(stores, bus)
    tally.count([click("b", after=60), click("a"), click("c", person="p2")])
    tally.count([click("d", after=120), click("e", delivery="another")])
    return sorted(bus.ids)


def test_all_clicks_are_told(stores: Stores, bus: Bus) -> None:
    assert told_under(stores, bus, "all") == ["a", "b", "c", "d", "e"]


def test_only_the_first_click_of_a_delivery_is_told(stores: Stores, bus: Bus) -> None:
    assert told_under(stores, bus, "first") == ["a", "c", "e"]


def test_nobody_is_told(stores: Stores, bus: Bus) -> None:
    assert told_under(stores, bus, "none") == []


def test_without_a_bus_clicks_are_counted(stores: Stores) -> None:
    assert tally_of(stores, None).count([click()]).fresh == 1
    assert stores.recipients.notices(CAMPAIGN, range(10)) == {}


def test_who_opted_out_is_counted_without_identity(stores: Stores, tally: Tally, bus: Bus) -> None:
    stores.workspaces.opt_out(ACME, "p1", NOON)
    clicks = [click("a"), click("b", after=60), click("c", person="p2")]
    for made in clicks:
        stores.clicks.record(made)
    tally.count(clicks)
    assert (total(stores).human, total(stores).people, total(stores).deliveries) == (3, 2, 2)
    assert not stores.clicks.of_person(ACME, "p1", cursor=None, limit=1).items
    people = stores.recipients.of_link(link("home"), cursor=None, limit=9).items
    assert {visitor.person for visitor in people} == {None, "p2"}
    assert {made.person for made, _ in bus.told} == {None, "p2"}
    # The anonymous clicks come by the stream as well, and are counted already.
    assert tally.count(list(stores.clicks.of_campaign(CAMPAIGN))).fresh == 0


def test_a_click_counted_before_its_person_opted_out_is_not_counted_again(
    stores: Stores, tally: Tally
) -> None:
    stores.clicks.record(click())
    tally.count([click()])
    stores.workspaces.opt_out(ACME, "p1", NOON)
    assert tally.count([click()]).fresh == 0
    assert (total(stores).total, total(stores).people) == (1, 1)


def test_who_opts_in_again_is_known_again(stores: Stores, tally: Tally) -> None:
    stores.workspaces.opt_out(ACME, "p1", NOON)
    stores.workspaces.opt_in(ACME, "p1")
    tally.count([click()])
    [visitor] = stores.recipients.of_link(link("home"), cursor=None, limit=9).items
    assert visitor.person == "p1"


def planned(people: int, links: int = 1) -> list[Commit]:
    marks = {
        f"p:{n}": [Mark(click_hash(str(n)), link(str(n % links)), n, b"dlvr", 0, False)]
        for n in range(people)
    }
    standings = {name: Standing(Row(RowKey(CAMPAIGN, name))) for name in marks}
    policy = Policy(threshold=70, events="all", new_batch=iter(range(1, 1000)).__next__)
    transactions, left = plan(CAMPAIGN, standings, marks, policy)
    assert left == {}
    return [transaction.commit() for transaction in transactions]


def actions(commit: Commit) -> int:
    counters = {cell.counter for cell in commit.increments}
    return len(commit.rows) + len(commit.sheets) + len(counters) + (commit.notice is not None)


def test_who_clicked_the_same_link_shares_a_transaction_and_its_counter() -> None:
    links = [{cell.counter for cell in made.increments} for made in planned(500, links=5)]
    of_links = [{name for name in counters if name.startswith("link#")} for counters in links]
    assert len(set().union(*of_links)) == 5
    assert max(map(len, of_links)) == 2


@pytest.mark.parametrize(("people", "links"), [(1, 1), (96, 1), (97, 1), (500, 1), (500, 500)])
def test_transactions_are_as_full_as_dynamodb_lets_them_be(people: int, links: int) -> None:
    commits = planned(people, links)
    assert sum(len(commit.rows) for commit in commits) == people
    assert max(map(actions, commits)) <= ACTIONS
    assert all(actions(commit) > ACTIONS - 2 for commit in commits[:-1])


def test_one_scanners_clicks_over_a_day_are_cut_into_transactions(
    stores: Stores, tally: Tally
) -> None:
    flood = [click(f"flood-{n}", name=str(n % 40), after=n * 300.0) for n in range(280)]
    assert tally.count(flood).fresh == 280
    assert total(stores).total == 280
    assert tally.count(flood[::-1]).fresh == 0


def test_a_mark_that_fits_no_transaction_is_given_back(
    stores: Stores, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waypost.tally.transactions.ACTIONS", 2)
    assert tally_of(stores, bus).count([click()]).failed == {"click-1"}


def test_clicks_that_only_differ_in_who_made_them_are_several(stores: Stores, tally: Tally) -> None:
    tally.count([click("a"), replace(click("b"), person=None)])
    assert total(stores).people == 2

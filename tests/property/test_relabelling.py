"""Whatever a workspace makes of its threshold, figures stay those of the clicks as labelled."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clicks import CAMPAIGN, NOON
from tests.contract.conftest import Stores, memory_stores
from tests.fakes import MemoryMessages
from tests.property.test_counting import clicks_of_one, cut
from tests.tallies import tally_over
from waypost.ids import workspace_of
from waypost.maintenance.recount import Recounting
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.privacy.erasure import Erasing
from waypost.tally.service import Tally


class Desk:
    """Counts under changing thresholds, and looks after each step that no figure is below 0."""

    def __init__(self) -> None:
        self.stores: Stores = memory_stores()
        self.recounting = Recounting(
            self.stores.clicks,
            self.stores.campaigns,
            self.stores.recipients,
            self.stores.workspaces,
        )

    def tally(self) -> Tally:
        return tally_over(self.stores)

    def take(self, clicks: list[Click]) -> None:
        for made in clicks:
            self.stores.clicks.record(made)
        assert not self.tally().count(clicks).failed
        self.look()

    def choose(self, threshold: int) -> None:
        self.stores.workspaces.save("acme", WorkspaceSettings(machine_threshold=threshold))

    def repair(self) -> None:
        assert self.recounting.repair(CAMPAIGN, self.tally()).right
        self.look()

    def erase(self) -> None:
        erasing = Erasing(
            self.stores.clicks, self.stores.recipients, self.stores.workspaces, MemoryMessages()
        )
        assert erasing.erase(workspace_of(CAMPAIGN), "p1", NOON).clean
        self.look()

    def look(self) -> None:
        assert all(value >= 0 for value in self.stores.campaigns.counts(CAMPAIGN).cells().values())


@settings(deadline=None)
@given(
    clicks=clicks_of_one,
    seed=st.integers(),
    steps=st.lists(
        st.one_of(st.sampled_from([30, 70, 150, 1_000]), st.sampled_from(["repair", "erase"])),
        max_size=6,
    ),
)
def test_no_threshold_and_no_repair_moves_a_figure_twice(
    clicks: list[Click], seed: int, steps: list[int | str]
) -> None:
    desk = Desk()
    batches = cut(clicks, seed)
    for number, step in enumerate(steps):
        desk.take(batches[number] if number < len(batches) else [])
        if isinstance(step, int):
            desk.choose(step)
        else:
            getattr(desk, step)()
    for batch in batches[len(steps) :]:
        desk.take(batch)
    desk.repair()
    total = desk.stores.campaigns.counts(CAMPAIGN).total
    assert total.total == len({made.id for made in clicks})

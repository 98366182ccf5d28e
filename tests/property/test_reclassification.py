"""Counters match the labels of the clicks, however a workspace changes its threshold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.click_factory import CAMPAIGN, NOON
from tests.fakes import create_in_memory_repositories
from tests.property.click_strategies import recipient_clicks, split_into_batches
from tests.tally_factory import create_tally
from waypost.composition import Repositories
from waypost.ids import extract_workspace_id
from waypost.maintenance.recount import RecountService
from waypost.models.click import Click
from waypost.models.workspace import WorkspaceSettings
from waypost.privacy.erasure import Erasure
from waypost.tally.service import TallyService


class ReclassificationModel:
    """Counts clicks under changing thresholds; checks that no counter ever is below 0."""

    def __init__(self) -> None:
        self.stores: Repositories = create_in_memory_repositories()
        self.recounting = RecountService(
            self.stores.clicks,
            self.stores.campaigns,
            self.stores.recipients,
            self.stores.workspaces,
        )

    def tally(self) -> TallyService:
        return create_tally(self.stores)

    def take(self, clicks: list[Click]) -> None:
        for made in clicks:
            self.stores.clicks.record(made)
        assert not self.tally().count_clicks(clicks).failed_ids
        self.look()

    def choose(self, threshold: int) -> None:
        self.stores.workspaces.save_settings("acme", WorkspaceSettings(machine_threshold=threshold))

    def repair(self) -> None:
        assert self.recounting.repair(CAMPAIGN, self.tally()).is_consistent
        self.look()

    def erase(self) -> None:
        erasing = Erasure(self.stores, scans_tables=True)
        assert erasing.erase(extract_workspace_id(CAMPAIGN), "p1", NOON).is_complete
        self.look()

    def look(self) -> None:
        assert all(
            value >= 0
            for value in self.stores.campaigns.get_counts(CAMPAIGN).to_increments().values()
        )


@settings(deadline=None)
@given(
    clicks=recipient_clicks,
    seed=st.integers(),
    steps=st.lists(
        st.one_of(st.sampled_from([30, 70, 150, 1_000]), st.sampled_from(["repair", "erase"])),
        max_size=6,
    ),
)
def test_thresholds_and_repairs_never_count_a_click_twice(
    clicks: list[Click], seed: int, steps: list[int | str]
) -> None:
    harness = ReclassificationModel()
    batches = split_into_batches(clicks, seed)
    for number, step in enumerate(steps):
        harness.take(batches[number] if number < len(batches) else [])
        if isinstance(step, int):
            harness.choose(step)
        else:
            getattr(harness, step)()
    for batch in batches[len(steps) :]:
        harness.take(batch)
    harness.repair()
    total = harness.stores.campaigns.get_counts(CAMPAIGN).total
    assert total.total == len({made.id for made in clicks})

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes import MemoryDomains
from tests.unit.domains.builders import HOST, HTTPS, MINUTE, NOW, WAITING, domain
from waypost.domains.app_links import AndroidApp, AppLinks
from waypost.domains.model import STACK, STACK_NAME, Certificate, TrackingDomain, new_domain
from waypost.domains.state_machine import advance
from waypost.domains.status import relit
from waypost.errors import Clash, Conflict
from waypost.ids import workspace_code
from waypost.repositories.domains import DomainStore
from waypost.repositories.dynamodb.domains import DynamoDomains

ACME, GLOBEX = workspace_code("acme"), workspace_code("globex")


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> DomainStore:
    if request.param == "memory":
        return MemoryDomains()
    tables = request.getfixturevalue("tables")
    return DynamoDomains(tables.client, tables.workspaces)


def lived_in() -> TrackingDomain:
    """A domain with something in every part of it."""
    apps = AppLinks(
        ios=("ABCDE12345.com.acme.app",),
        android=(AndroidApp("com.acme.app", ("AA:BB",)),),
        urls=("https://acme.com/*",),
    )
    checked = advance(advance(domain(), HTTPS, NOW), WAITING, NOW + MINUTE)
    certificate = Certificate("issued", NOW, "a problem once")
    return replace(
        relit(checked, "e.waypost.example", NOW), app_links=apps, certificate=certificate
    )


def test_a_domain_comes_back_as_it_was_kept(store: DomainStore) -> None:
    for kept in (domain(), lived_in()):
        store.add(replace(kept, host=f"{kept.stage}.acme.com"))
        assert store.get(ACME, f"{kept.stage}.acme.com") == replace(
            kept, host=f"{kept.stage}.acme.com"
        )


def test_a_domain_nobody_added_is_not_there(store: DomainStore) -> None:
    assert store.get(ACME, HOST) is None
    assert store.by_host(HOST) is None
    assert store.of_workspace(ACME) == []


def test_a_host_belongs_to_one_workspace(store: DomainStore) -> None:
    store.add(domain())
    for workspace in (ACME, GLOBEX):
        with pytest.raises(Clash, match="taken"):
            store.add(domain(workspace=workspace))
    assert store.get(GLOBEX, HOST) is None
    assert store.of_workspace(GLOBEX) == []


def test_a_domain_is_found_by_its_host_whoever_has_it(store: DomainStore) -> None:
    store.add(domain())
    found = store.by_host(HOST)
    assert found is not None
    assert found.workspace == ACME


def test_a_workspaces_domains_are_listed_oldest_first(store: DomainStore) -> None:
    store.add(domain(host="b.acme.com", added=NOW + MINUTE))
    store.add(domain(host="c.acme.com", added=NOW))
    store.add(domain(host="a.acme.com", added=NOW + MINUTE))
    store.add(domain(host="links.globex.com", workspace=GLOBEX))
    hosts = [found.host for found in store.of_workspace(ACME)]
    assert hosts == ["c.acme.com", "a.acme.com", "b.acme.com"]


def test_the_stacks_own_host_is_kept_apart_from_every_workspace(store: DomainStore) -> None:
    store.add(new_domain(STACK, STACK_NAME, "e.waypost.example", "", "beef", NOW))
    assert [found.host for found in store.of_workspace(STACK)] == ["e.waypost.example"]
    assert store.of_workspace(workspace_code(STACK_NAME)) == []


def test_saving_gives_the_next_version(store: DomainStore) -> None:
    store.add(domain())
    saved = store.save(domain(stage="https"))
    assert saved.version == domain().version + 1
    assert store.get(ACME, HOST) == saved


def test_of_two_writers_with_the_same_version_the_second_is_refused(store: DomainStore) -> None:
    store.add(domain())
    store.save(domain(use="reverted"))
    with pytest.raises(Conflict):
        store.save(domain(stage="https"))
    kept = store.get(ACME, HOST)
    assert kept is not None
    assert (kept.use, kept.stage) == ("reverted", "waiting")


def test_a_domain_that_was_never_added_cannot_be_saved_or_deleted(store: DomainStore) -> None:
    with pytest.raises(Conflict):
        store.save(domain())
    with pytest.raises(Conflict):
        store.delete(domain())
    assert store.due(NOW, 10) == []


def test_deleting_frees_the_host(store: DomainStore) -> None:
    store.add(domain())
    store.delete(domain())
    assert store.get(ACME, HOST) is None
    assert store.by_host(HOST) is None
    store.add(domain(workspace=GLOBEX))
    assert store.get(GLOBEX, HOST) is not None


def test_deleting_an_old_version_is_refused(store: DomainStore) -> None:
    store.add(domain())
    saved = store.save(domain(use="on"))
    with pytest.raises(Conflict):
        store.delete(domain())
    assert store.get(ACME, HOST) == saved
    assert store.by_host(HOST) == saved


def test_what_is_due_comes_longest_waiting_first_and_no_more_than_asked(
    store: DomainStore,
) -> None:
    for i, minutes in enumerate((-5, 3, -9, 0)):
        store.add(domain(host=f"{i}.acme.com", due=NOW + minutes * MINUTE))
    due = [host for _, host in store.due(NOW, 10)]
    assert due == ["2.acme.com", "0.acme.com", "3.acme.com"]
    assert store.due(NOW, 1) == [(ACME, "2.acme.com")]


def test_a_saved_domain_is_due_when_it_says(store: DomainStore) -> None:
    store.add(domain(due=NOW))
    store.save(domain(due=NOW + MINUTE))
    assert store.due(NOW, 10) == []
    assert store.due(NOW + MINUTE, 10) == [(ACME, HOST)]

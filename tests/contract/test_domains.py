"""Contract of the repositories of tracking domains, in memory and in DynamoDB."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contract.domain_repositories import ACME, GLOBEX, build_domain_with_history, store
from tests.unit.domains.builders import HOST, MINUTE, NOW, make_domain
from waypost.errors import AlreadyExists, WriteConflict
from waypost.ids import derive_workspace_id
from waypost.models.tracking_domain import (
    STACK_WORKSPACE,
    STACK_WORKSPACE_NAME,
    create_domain,
)
from waypost.repositories.domains import DomainRepository

__all__ = ["store"]


def test_domain_survives_storage_unchanged(store: DomainRepository) -> None:
    for domain in (make_domain(), build_domain_with_history()):
        store.add(replace(domain, host=f"{domain.stage}.acme.com"))
        assert store.get(ACME, f"{domain.stage}.acme.com") == replace(
            domain, host=f"{domain.stage}.acme.com"
        )


def test_domain_that_was_never_added_is_not_found(store: DomainRepository) -> None:
    assert store.get(ACME, HOST) is None
    assert store.get_by_host(HOST) is None
    assert store.list_by_workspace(ACME) == []


def test_host_belongs_to_one_workspace(store: DomainRepository) -> None:
    store.add(make_domain())
    for workspace in (ACME, GLOBEX):
        with pytest.raises(AlreadyExists, match="taken"):
            store.add(make_domain(workspace=workspace))
    assert store.get(GLOBEX, HOST) is None
    assert store.list_by_workspace(GLOBEX) == []


def test_domain_is_found_by_host_without_its_workspace(store: DomainRepository) -> None:
    store.add(make_domain())
    domain = store.get_by_host(HOST)
    assert domain is not None
    assert domain.workspace == ACME


def test_domains_of_a_workspace_are_listed_oldest_first(store: DomainRepository) -> None:
    store.add(make_domain(host="b.acme.com", added=NOW + MINUTE))
    store.add(make_domain(host="c.acme.com", added=NOW))
    store.add(make_domain(host="a.acme.com", added=NOW + MINUTE))
    store.add(make_domain(host="links.globex.com", workspace=GLOBEX))
    hosts = [domain.host for domain in store.list_by_workspace(ACME)]
    assert hosts == ["c.acme.com", "a.acme.com", "b.acme.com"]


def test_default_host_is_stored_apart_from_every_workspace(store: DomainRepository) -> None:
    store.add(
        create_domain(STACK_WORKSPACE, STACK_WORKSPACE_NAME, "e.waypost.example", "", "beef", NOW)
    )
    assert [domain.host for domain in store.list_by_workspace(STACK_WORKSPACE)] == [
        "e.waypost.example"
    ]
    assert store.list_by_workspace(derive_workspace_id(STACK_WORKSPACE_NAME)) == []


def test_saving_a_domain_increments_its_version(store: DomainRepository) -> None:
    store.add(make_domain())
    saved = store.save(make_domain(stage="https"))
    assert saved.version == make_domain().version + 1
    assert store.get(ACME, HOST) == saved


def test_second_save_of_the_same_domain_version_is_a_write_conflict(
    store: DomainRepository,
) -> None:
    store.add(make_domain())
    store.save(make_domain(use="reverted"))
    with pytest.raises(WriteConflict):
        store.save(make_domain(stage="https"))
    stored = store.get(ACME, HOST)
    assert stored is not None
    assert (stored.use, stored.stage) == ("reverted", "waiting")


def test_domain_that_was_never_added_cannot_be_saved_or_deleted(store: DomainRepository) -> None:
    with pytest.raises(WriteConflict):
        store.save(make_domain())
    with pytest.raises(WriteConflict):
        store.delete(make_domain())
    assert store.list_due(NOW, 10) == []


def test_deleting_a_domain_frees_its_host(store: DomainRepository) -> None:
    store.add(make_domain())
    store.delete(make_domain())
    assert store.get(ACME, HOST) is None
    assert store.get_by_host(HOST) is None
    store.add(make_domain(workspace=GLOBEX))
    assert store.get(GLOBEX, HOST) is not None


def test_deleting_an_old_domain_version_is_a_write_conflict(store: DomainRepository) -> None:
    store.add(make_domain())
    saved = store.save(make_domain(use="on"))
    with pytest.raises(WriteConflict):
        store.delete(make_domain())
    assert store.get(ACME, HOST) == saved
    assert store.get_by_host(HOST) == saved


def test_due_domains_are_listed_longest_waiting_first_up_to_the_limit(
    store: DomainRepository,
) -> None:
    for i, minutes in enumerate((-5, 3, -9, 0)):
        store.add(make_domain(host=f"{i}.acme.com", due=NOW + minutes * MINUTE))
    due = [host for _, host in store.list_due(NOW, 10)]
    assert due == ["2.acme.com", "0.acme.com", "3.acme.com"]
    assert store.list_due(NOW, 1) == [(ACME, "2.acme.com")]


def test_domains_of_all_workspaces_are_listed_oldest_first(store: DomainRepository) -> None:
    assert store.list_all() == []
    older = make_domain(host="links.globex.com", workspace=GLOBEX, added=NOW - MINUTE)
    for domain in (make_domain(), older):
        store.add(domain)
    assert store.list_all() == [older, make_domain()]


def test_saved_domain_is_listed_as_due_from_its_due_time(store: DomainRepository) -> None:
    store.add(make_domain(due=NOW))
    store.save(make_domain(due=NOW + MINUTE))
    assert store.list_due(NOW, 10) == []
    assert store.list_due(NOW + MINUTE, 10) == [(ACME, HOST)]

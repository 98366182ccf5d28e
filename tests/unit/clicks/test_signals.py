from __future__ import annotations

from dataclasses import replace

import pytest

from tests.clicks import CHROME, FIREFOX, SAFARI, click, link
from waypost.bot_detection.bursts import (
    BURST_LINKS,
    RUN_LINKS,
    WINDOW_MILLISECONDS,
    company_signals,
    shared_deliveries,
)
from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY, is_honeypot
from waypost.bot_detection.scoring import (
    SOON_MILLISECONDS,
    THRESHOLD,
    WEIGHTS,
    Signal,
    hosting_networks,
    mark_of,
    score,
    signals_of,
    verdict,
)
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.models.recipient import Mark, click_hash

NONE = Signal(0)


@pytest.mark.parametrize(
    ("changes", "signals"),
    [
        ({}, NONE),
        ({"agent": "curl/8.9.1"}, Signal.KNOWN_AGENT),
        ({"agent": "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"}, Signal.KNOWN_AGENT),
        ({"agent": ""}, Signal.NO_AGENT),
        ({"agent": "  "}, Signal.NO_AGENT),
        ({"agent": "SomethingNew/1.0"}, Signal.ODD_AGENT),
        ({"asn": 16509}, Signal.HOSTING_NETWORK),
        ({"asn": 13335}, NONE),  # people leave privacy relays there
        ({"asn": None}, NONE),
        ({"link": link(HONEYPOT_IDENTITY)}, Signal.HONEYPOT),
    ],
)
def test_a_click_speaks_for_itself(changes: dict[str, object], signals: Signal) -> None:
    assert signals_of(click(**changes)) == signals  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after", "soon"), [(0, True), (SOON_MILLISECONDS - 1, True), (SOON_MILLISECONDS, False)]
)
def test_nobody_reads_within_seconds_of_sending(after: int, soon: bool) -> None:
    made = click()
    sent = made.sent * 1000
    made = replace(made, time=made.time.fromtimestamp((sent + after) / 1000, made.time.tzinfo))
    assert bool(signals_of(made) & Signal.SOON_AFTER_SENDING) is soon


def test_signals_of_a_click_without_identity_are_those_it_kept() -> None:
    known = click(agent="curl/8")
    anonymous = known.anonymous("alias", int(signals_of(known)))
    assert signals_of(anonymous) == Signal.KNOWN_AGENT
    assert mark_of(anonymous).machine


@pytest.mark.parametrize(
    "signal",
    [
        Signal.ODD_AGENT,
        Signal.HOSTING_NETWORK,
        Signal.SOON_AFTER_SENDING,
        Signal.RUN_OF_LINKS,
    ],
)
def test_what_a_person_may_cause_does_not_decide_alone(signal: Signal) -> None:
    assert WEIGHTS[signal] < THRESHOLD


def test_signals_add_up_and_are_told_strongest_first() -> None:
    found = verdict(Signal.SOON_AFTER_SENDING | Signal.HOSTING_NETWORK)
    assert (found.kind, found.score) == ("machine", 70)
    assert found.reasons == ("hosting_network", "soon_after_sending")
    assert verdict(Signal.HOSTING_NETWORK).kind == "human"
    assert verdict(Signal(0)) == replace(found, kind="human", score=0, reasons=())


def test_a_label_as_counted_goes_before_todays_points() -> None:
    assert verdict(Signal.HOSTING_NETWORK, machine=True).kind == "machine"


def test_signals_of_a_newer_version_count_nothing() -> None:
    assert score(1 << 20) == 0


def test_hosting_networks_come_from_the_data_file() -> None:
    assert {16509, 24940, 14061} <= hosting_networks()
    assert not {13335, 36183, 54113, 22616} & hosting_networks()


def test_the_hidden_link_is_known_by_its_code() -> None:
    assert is_honeypot(link(HONEYPOT_IDENTITY))
    assert not is_honeypot(link("home"))


def marks(*clicks: Click) -> list[Mark]:
    return [mark_of(made) for made in clicks]


def visits(names: str, gap: float, **changes: object) -> list[Click]:
    """A click on each named link, ``gap`` seconds after the one before it."""
    return [
        replace(click(f"{name}{n}", name=name, after=n * gap), **changes)  # type: ignore[arg-type]
        for n, name in enumerate(names)
    ]


def told(found: dict[bytes, int], made: Click) -> Signal:
    return Signal(found.get(click_hash(made.id), 0))


def test_every_click_of_a_burst_is_told_including_those_before_it_was_one() -> None:
    burst = visits("abcd", 1)
    found = company_signals(marks(*burst))
    assert len(burst) == BURST_LINKS
    assert {told(found, made) for made in burst} == {Signal.RUN_OF_LINKS | Signal.BURST_OF_LINKS}


def test_a_run_is_less_than_a_burst() -> None:
    run = visits("abc", 1)
    assert len(run) == RUN_LINKS
    found = company_signals(marks(*run))
    assert {told(found, made) for made in run} == {Signal.RUN_OF_LINKS}


@pytest.mark.parametrize(
    "clicks",
    [
        visits("aaaaaaaa", 0.1),  # the same link again and again: a double click, a reload
        visits("ab", 0.1),
        visits("abcdefgh", WINDOW_MILLISECONDS / 2000 + 0.001),
    ],
)
def test_what_a_person_may_do_tells_nothing(clicks: list[Click]) -> None:
    assert company_signals(marks(*clicks)) == {}


def test_bursts_are_a_deliverys() -> None:
    mine, yours = visits("ab", 0.5), visits("cd", 0.5, delivery="another")
    assert company_signals(marks(*mine, *yours)) == {}


def test_a_click_apart_from_the_burst_is_not_told() -> None:
    burst, later = visits("abcd", 1), click("later", name="a", after=60)
    assert told(company_signals(marks(*burst, later)), later) == NONE


def test_whoever_follows_the_hidden_link_takes_its_neighbours_along() -> None:
    trap = click("trap", name=HONEYPOT_IDENTITY, after=2)
    near, far = click("near", after=0), click("far", name="b", after=60)
    found = company_signals(marks(near, trap, far))
    assert told(found, near) == told(found, trap) == Signal.BESIDE_HONEYPOT
    assert told(found, far) == NONE


def opened(number: int, agent: str, asn: int) -> Click:
    return click(f"c{number}", after=number * 3600.0, agent=agent, asn=asn)


def test_three_clients_on_three_networks_are_several_people() -> None:
    family = [opened(1, SAFARI, 3320), opened(2, CHROME, 6805), opened(3, FIREFOX, 7922)]
    assert shared_deliveries(marks(*family)) == {marks(*family)[0].delivery}


@pytest.mark.parametrize(
    "one",
    [
        [opened(1, SAFARI, 3320), opened(2, CHROME, 6805)],
        [opened(1, SAFARI, 3320), opened(2, SAFARI, 6805), opened(3, SAFARI, 7922)],
        [opened(1, SAFARI, 3320), opened(2, CHROME, 3320), opened(3, FIREFOX, 3320)],
        [opened(1, SAFARI, 3320), opened(2, CHROME, 6805), opened(3, "curl/8", 7922)],
    ],
)
def test_a_person_with_a_phone_and_a_computer_is_one(one: list[Click]) -> None:
    assert shared_deliveries(marks(*one)) == frozenset()


def test_times_are_exact_to_the_millisecond() -> None:
    assert to_milliseconds(click(after=0.001).time) - to_milliseconds(click().time) == 1

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.click_factory import CHROME, FIREFOX, SAFARI, make_click, make_link_id
from waypost.bot_detection.bursts import (
    BURST_WINDOW_MILLISECONDS,
    MIN_BURST_LINKS,
    MIN_RUN_LINKS,
    detect_forwarding,
    find_burst_signals,
)
from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY, is_honeypot
from waypost.bot_detection.scoring import (
    DEFAULT_BOT_THRESHOLD,
    SIGNAL_WEIGHTS,
    SOON_AFTER_SENDING_MILLISECONDS,
    BotSignal,
    build_verdict,
    classify_click,
    compute_score,
    detect_signals,
    load_hosting_networks,
)
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.models.recipient import CountedClick, click_hash

NONE = BotSignal(0)


@pytest.mark.parametrize(
    ("changes", "signals"),
    [
        ({}, NONE),
        ({"agent": "curl/8.9.1"}, BotSignal.KNOWN_AGENT),
        ({"agent": "Mozilla/4.0 (compatible; ms-office; MSOffice 16)"}, BotSignal.KNOWN_AGENT),
        ({"agent": ""}, BotSignal.NO_AGENT),
        ({"agent": "  "}, BotSignal.NO_AGENT),
        ({"agent": "SomethingNew/1.0"}, BotSignal.ODD_AGENT),
        ({"asn": 16509}, BotSignal.HOSTING_NETWORK),
        ({"asn": 13335}, NONE),  # people leave privacy relays from such networks
        ({"asn": None}, NONE),
        ({"link": make_link_id(HONEYPOT_IDENTITY)}, BotSignal.HONEYPOT),
    ],
)
def test_signals_of_a_single_click(changes: dict[str, object], signals: BotSignal) -> None:
    assert detect_signals(make_click(**changes)) == signals  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("after", "soon"),
    [
        (0, True),
        (SOON_AFTER_SENDING_MILLISECONDS - 1, True),
        (SOON_AFTER_SENDING_MILLISECONDS, False),
    ],
)
def test_click_within_seconds_of_sending_has_a_signal(after: int, soon: bool) -> None:
    made = make_click()
    sent = made.sent * 1000
    made = replace(made, time=made.time.fromtimestamp((sent + after) / 1000, made.time.tzinfo))
    assert bool(detect_signals(made) & BotSignal.SOON_AFTER_SENDING) is soon


def test_anonymous_click_has_its_stored_signals() -> None:
    known = make_click(agent="curl/8")
    anonymous = known.anonymize("alias", int(detect_signals(known)))
    assert detect_signals(anonymous) == BotSignal.KNOWN_AGENT
    assert classify_click(anonymous).is_bot


@pytest.mark.parametrize(
    "signal",
    [
        BotSignal.ODD_AGENT,
        BotSignal.HOSTING_NETWORK,
        BotSignal.SOON_AFTER_SENDING,
        BotSignal.RUN_OF_LINKS,
    ],
)
def test_signal_that_a_person_can_cause_does_not_decide_alone(signal: BotSignal) -> None:
    assert SIGNAL_WEIGHTS[signal] < DEFAULT_BOT_THRESHOLD


def test_signals_add_up_and_reasons_are_sorted_by_weight() -> None:
    found = build_verdict(BotSignal.SOON_AFTER_SENDING | BotSignal.HOSTING_NETWORK)
    assert (found.kind, found.score) == ("machine", 70)
    assert found.reasons == ("hosting_network", "soon_after_sending")
    assert build_verdict(BotSignal.HOSTING_NETWORK).kind == "human"
    assert build_verdict(BotSignal(0)) == replace(found, kind="human", score=0, reasons=())


def test_counted_label_takes_precedence_over_the_score() -> None:
    assert build_verdict(BotSignal.HOSTING_NETWORK, is_bot=True).kind == "machine"


def test_unknown_signals_of_a_newer_version_count_zero() -> None:
    assert compute_score(1 << 20) == 0


def test_hosting_networks_are_loaded_from_the_data_file() -> None:
    assert {16509, 24940, 14061} <= load_hosting_networks()
    assert not {13335, 36183, 54113, 22616} & load_hosting_networks()


def test_honeypot_is_recognised_by_its_id() -> None:
    assert is_honeypot(make_link_id(HONEYPOT_IDENTITY))
    assert not is_honeypot(make_link_id("home"))


def marks(*clicks: Click) -> list[CountedClick]:
    return [classify_click(made) for made in clicks]


def visits(names: str, gap: float, **changes: object) -> list[Click]:
    """Return a click on each named link, ``gap`` seconds after the previous one."""
    return [
        replace(make_click(f"{name}{n}", name=name, after=n * gap), **changes)  # type: ignore[arg-type]
        for n, name in enumerate(names)
    ]


def told(found: dict[bytes, int], made: Click) -> BotSignal:
    return BotSignal(found.get(click_hash(made.id), 0))


def test_every_click_of_a_burst_gets_the_signal() -> None:
    burst = visits("abcd", 1)
    found = find_burst_signals(marks(*burst))
    assert len(burst) == MIN_BURST_LINKS
    assert {told(found, made) for made in burst} == {
        BotSignal.RUN_OF_LINKS | BotSignal.BURST_OF_LINKS
    }


def test_run_of_links_is_not_a_burst() -> None:
    run = visits("abc", 1)
    assert len(run) == MIN_RUN_LINKS
    found = find_burst_signals(marks(*run))
    assert {told(found, made) for made in run} == {BotSignal.RUN_OF_LINKS}


@pytest.mark.parametrize(
    "clicks",
    [
        visits("aaaaaaaa", 0.1),  # a double click or a reload
        visits("ab", 0.1),
        visits("abcdefgh", BURST_WINDOW_MILLISECONDS / 2000 + 0.001),
    ],
)
def test_ordinary_clicks_of_a_person_give_no_burst_signal(clicks: list[Click]) -> None:
    assert find_burst_signals(marks(*clicks)) == {}


def test_burst_is_limited_to_one_delivery() -> None:
    mine, yours = visits("ab", 0.5), visits("cd", 0.5, delivery="another")
    assert find_burst_signals(marks(*mine, *yours)) == {}


def test_click_outside_the_burst_window_gets_no_signal() -> None:
    burst, later = visits("abcd", 1), make_click("later", name="a", after=60)
    assert told(find_burst_signals(marks(*burst, later)), later) == NONE


def test_clicks_near_a_honeypot_click_get_a_signal() -> None:
    trap = make_click("trap", name=HONEYPOT_IDENTITY, after=2)
    near, far = make_click("near", after=0), make_click("far", name="b", after=60)
    found = find_burst_signals(marks(near, trap, far))
    assert told(found, near) == told(found, trap) == BotSignal.BESIDE_HONEYPOT
    assert told(found, far) == NONE


def opened(number: int, agent: str, asn: int) -> Click:
    return make_click(f"c{number}", after=number * 3600.0, agent=agent, asn=asn)


def test_three_clients_on_three_networks_mean_forwarding() -> None:
    family = [opened(1, SAFARI, 3320), opened(2, CHROME, 6805), opened(3, FIREFOX, 7922)]
    assert detect_forwarding(marks(*family)) == {marks(*family)[0].delivery}


@pytest.mark.parametrize(
    "one",
    [
        [opened(1, SAFARI, 3320), opened(2, CHROME, 6805)],
        [opened(1, SAFARI, 3320), opened(2, SAFARI, 6805), opened(3, SAFARI, 7922)],
        [opened(1, SAFARI, 3320), opened(2, CHROME, 3320), opened(3, FIREFOX, 3320)],
        [opened(1, SAFARI, 3320), opened(2, CHROME, 6805), opened(3, "curl/8", 7922)],
    ],
)
def test_phone_and_computer_do_not_mean_forwarding(one: list[Click]) -> None:
    assert detect_forwarding(marks(*one)) == frozenset()


def test_counted_click_time_is_exact_to_the_millisecond() -> None:
    assert to_milliseconds(make_click(after=0.001).time) - to_milliseconds(make_click().time) == 1

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
    click = make_click()
    sent = click.sent * 1000
    click = replace(click, time=click.time.fromtimestamp((sent + after) / 1000, click.time.tzinfo))
    assert bool(detect_signals(click) & BotSignal.SOON_AFTER_SENDING) is soon


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
    result = build_verdict(BotSignal.SOON_AFTER_SENDING | BotSignal.HOSTING_NETWORK)
    assert (result.kind, result.score) == ("machine", 70)
    assert result.reasons == ("hosting_network", "soon_after_sending")
    assert build_verdict(BotSignal.HOSTING_NETWORK).kind == "human"
    assert build_verdict(BotSignal(0)) == replace(result, kind="human", score=0, reasons=())


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


def classify_clicks(*clicks: Click) -> list[CountedClick]:
    return [classify_click(click) for click in clicks]


def make_clicks(names: str, gap: float, **changes: object) -> list[Click]:
    """Return a click on each named link, ``gap`` seconds after the previous one."""
    return [
        replace(make_click(f"{name}{n}", name=name, after=n * gap), **changes)  # type: ignore[arg-type]
        for n, name in enumerate(names)
    ]


def get_burst_signals(result: dict[bytes, int], click: Click) -> BotSignal:
    return BotSignal(result.get(click_hash(click.id), 0))


def test_every_click_of_a_burst_gets_the_signal() -> None:
    burst = make_clicks("abcd", 1)
    result = find_burst_signals(classify_clicks(*burst))
    assert len(burst) == MIN_BURST_LINKS
    assert {get_burst_signals(result, click) for click in burst} == {
        BotSignal.RUN_OF_LINKS | BotSignal.BURST_OF_LINKS
    }


def test_run_of_links_is_not_a_burst() -> None:
    run = make_clicks("abc", 1)
    assert len(run) == MIN_RUN_LINKS
    result = find_burst_signals(classify_clicks(*run))
    assert {get_burst_signals(result, click) for click in run} == {BotSignal.RUN_OF_LINKS}


@pytest.mark.parametrize(
    "clicks",
    [
        make_clicks("aaaaaaaa", 0.1),  # a double click or a reload
        make_clicks("ab", 0.1),
        make_clicks("abcdefgh", BURST_WINDOW_MILLISECONDS / 2000 + 0.001),
    ],
)
def test_ordinary_clicks_of_a_person_give_no_burst_signal(clicks: list[Click]) -> None:
    assert find_burst_signals(classify_clicks(*clicks)) == {}


def test_burst_is_limited_to_one_delivery() -> None:
    first, second = make_clicks("ab", 0.5), make_clicks("cd", 0.5, delivery="another")
    assert find_burst_signals(classify_clicks(*first, *second)) == {}


def test_click_outside_the_burst_window_gets_no_signal() -> None:
    burst, later = make_clicks("abcd", 1), make_click("later", name="a", after=60)
    assert get_burst_signals(find_burst_signals(classify_clicks(*burst, later)), later) == NONE


def test_clicks_near_a_honeypot_click_get_a_signal() -> None:
    trap = make_click("trap", name=HONEYPOT_IDENTITY, after=2)
    near, far = make_click("near", after=0), make_click("far", name="b", after=60)
    result = find_burst_signals(classify_clicks(near, trap, far))
    assert (
        get_burst_signals(result, near)
        == get_burst_signals(result, trap)
        == BotSignal.BESIDE_HONEYPOT
    )
    assert get_burst_signals(result, far) == NONE


def make_client_click(number: int, agent: str, asn: int) -> Click:
    return make_click(f"c{number}", after=number * 3600.0, agent=agent, asn=asn)


def test_three_clients_on_three_networks_mean_forwarding() -> None:
    family = [
        make_client_click(1, SAFARI, 3320),
        make_client_click(2, CHROME, 6805),
        make_client_click(3, FIREFOX, 7922),
    ]
    assert detect_forwarding(classify_clicks(*family)) == {classify_clicks(*family)[0].delivery}


@pytest.mark.parametrize(
    "clicks",
    [
        [make_client_click(1, SAFARI, 3320), make_client_click(2, CHROME, 6805)],
        [
            make_client_click(1, SAFARI, 3320),
            make_client_click(2, SAFARI, 6805),
            make_client_click(3, SAFARI, 7922),
        ],
        [
            make_client_click(1, SAFARI, 3320),
            make_client_click(2, CHROME, 3320),
            make_client_click(3, FIREFOX, 3320),
        ],
        [
            make_client_click(1, SAFARI, 3320),
            make_client_click(2, CHROME, 6805),
            make_client_click(3, "curl/8", 7922),
        ],
    ],
)
def test_phone_and_computer_do_not_mean_forwarding(clicks: list[Click]) -> None:
    assert detect_forwarding(classify_clicks(*clicks)) == frozenset()


def test_counted_click_time_is_exact_to_the_millisecond() -> None:
    assert to_milliseconds(make_click(after=0.001).time) - to_milliseconds(make_click().time) == 1

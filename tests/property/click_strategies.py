"""Strategies of clicks for property tests."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st

from tests.click_factory import CHROME, FIREFOX, SAFARI, make_click
from waypost.bot_detection.honeypot import HONEYPOT_IDENTITY
from waypost.models.click import Click
from waypost.models.recipient import MAX_INLINE_CLICKS

LINKS = ["home", "shop", "blog", "help", "more", HONEYPOT_IDENTITY]
AGENTS = [SAFARI, CHROME, FIREFOX, "", "curl/8.9", "SomethingNew/1.0"]

any_click = st.builds(
    make_click,
    id_=st.integers(0, 10_000).map("click-{}".format),
    name=st.sampled_from(LINKS),
    after=st.one_of(st.integers(0, 40_000), st.integers(0, 4 * 3_600_000)).map(
        lambda milliseconds: milliseconds / 1000
    ),
    agent=st.sampled_from(AGENTS),
    delivery=st.sampled_from(["d1", "d2"]),
    asn=st.sampled_from([3320, 6805, 7922, 16509, None]),
)
recipient_clicks = st.one_of(
    st.lists(any_click, max_size=MAX_INLINE_CLICKS, unique_by=lambda click: click.id),
    st.lists(
        any_click,
        min_size=MAX_INLINE_CLICKS + 1,
        max_size=MAX_INLINE_CLICKS * 3,
        unique_by=lambda click: click.id,
    ),
)


def split_into_batches(clicks: Sequence[Click], seed: int) -> list[list[Click]]:
    """Shuffle the clicks, repeat some, and split them into batches of any size."""
    random = Random(seed)
    given_twice = [*clicks, *(click for click in clicks if random.random() < 0.3)]
    random.shuffle(given_twice)
    batches: list[list[Click]] = [[]]
    for click in given_twice:
        if random.random() < 0.3:
            batches.append([])
        batches[-1].append(click)
    return batches

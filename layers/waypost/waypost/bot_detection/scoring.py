"""Score a click for bot signals, and decide whether a bot made it.

Each signal has a weight in points. A click whose points reach the threshold is a bot's. One signal
alone decides only if no person can cause it. docs/bot-clicks.md explains the weights and reports
how well they separate bots from people.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import Final, Literal

from waypost.bot_detection.honeypot import is_honeypot
from waypost.bot_detection.user_agents import (
    classify_client,
    is_browser,
    is_image_prefetch,
    is_image_proxy,
    is_known_bot,
    is_mail_client,
)
from waypost.ids import is_open_id
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.models.recipient import CountedClick, click_hash, delivery_hash
from waypost.models.workspace import WorkspaceSettings


class BotSignal(IntFlag):
    """A sign that a bot made a click. Values are stored: never reuse one."""

    KNOWN_AGENT = 1
    NO_AGENT = 2
    ODD_AGENT = 4
    HOSTING_NETWORK = 8
    SOON_AFTER_SENDING = 16
    HONEYPOT = 32
    RUN_OF_LINKS = 64
    BURST_OF_LINKS = 128
    BESIDE_HONEYPOT = 256
    IMAGE_PROXY = 512
    IMAGE_PREFETCH = 1024


SIGNAL_WEIGHTS: Final = {
    BotSignal.KNOWN_AGENT: 100,
    BotSignal.NO_AGENT: 70,
    BotSignal.ODD_AGENT: 40,
    BotSignal.HOSTING_NETWORK: 40,
    BotSignal.SOON_AFTER_SENDING: 30,
    BotSignal.HONEYPOT: 100,
    BotSignal.RUN_OF_LINKS: 40,
    BotSignal.BURST_OF_LINKS: 100,
    BotSignal.BESIDE_HONEYPOT: 100,
    BotSignal.IMAGE_PROXY: 70,
    BotSignal.IMAGE_PREFETCH: 100,
}
DEFAULT_BOT_THRESHOLD: Final = WorkspaceSettings().machine_threshold
SOON_AFTER_SENDING_MILLISECONDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class BotVerdict:
    """The decision about a click, with its points and its reasons, strongest first."""

    kind: Literal["human", "machine"]
    score: int
    reasons: tuple[str, ...]


def detect_signals(click: Click) -> BotSignal:
    """Return the signals of a click alone, without its neighbours."""
    if click.signals is not None:
        return BotSignal(click.signals)
    if is_open_id(click.link):
        signals = _detect_image_agent_signal(click.agent)
    else:
        signals = _detect_agent_signal(click.agent)
    if click.asn in load_hosting_networks():
        signals |= BotSignal.HOSTING_NETWORK
    if to_milliseconds(click.time) - click.sent * 1000 < SOON_AFTER_SENDING_MILLISECONDS:
        signals |= BotSignal.SOON_AFTER_SENDING
    if is_honeypot(click.link):
        signals |= BotSignal.HONEYPOT
    return signals


@cache
def compute_score(signals: int) -> int:
    """Add up the points of the signals. Unknown signals, of a newer version, count 0."""
    return sum(weight for signal, weight in SIGNAL_WEIGHTS.items() if signals & signal)


def build_verdict(signals: BotSignal, *, is_bot: bool | None = None) -> BotVerdict:
    """Build the verdict of signals. ``is_bot`` is the label of a click that is counted already."""
    score = compute_score(signals)
    if is_bot is None:
        is_bot = score >= DEFAULT_BOT_THRESHOLD
    ranked = sorted(signals, key=lambda signal: -SIGNAL_WEIGHTS[signal])
    reasons = tuple(str(signal.name).lower() for signal in ranked)
    return BotVerdict("machine" if is_bot else "human", score, reasons)


@cache
def load_hosting_networks() -> frozenset[int]:
    """Load the numbers (ASN) of the networks that host servers."""
    lines = (files("waypost.bot_detection") / "hosting_networks.csv").read_text().splitlines()
    numbers = (line.split(",", 1)[0] for line in lines if line and not line.startswith("#"))
    return frozenset(int(number) for number in numbers if number != "asn")


def _detect_agent_signal(agent: str) -> BotSignal:
    if not agent.strip():
        return BotSignal.NO_AGENT
    if is_known_bot(agent):
        return BotSignal.KNOWN_AGENT
    return BotSignal(0) if is_browser(agent) else BotSignal.ODD_AGENT


def _detect_image_agent_signal(agent: str) -> BotSignal:
    if is_image_prefetch(agent):
        return BotSignal.IMAGE_PREFETCH
    if is_image_proxy(agent):
        return BotSignal.IMAGE_PROXY
    return BotSignal(0) if is_mail_client(agent) else _detect_agent_signal(agent)


def classify_click(click: Click, threshold: int = DEFAULT_BOT_THRESHOLD) -> CountedClick:
    """Convert a click to its counted form, classified by its own signals alone."""
    signals = detect_signals(click)
    return CountedClick(
        id=click_hash(click.id),
        link=click.link,
        time=to_milliseconds(click.time),
        delivery=_hash_delivery(click),
        signals=int(signals),
        is_bot=compute_score(signals) >= threshold,
        client=classify_client(click.agent),
        network=_hash_network(click),
    )


def _hash_delivery(click: Click) -> bytes:
    is_anonymous = click.alias is not None
    return bytes.fromhex(click.delivery) if is_anonymous else delivery_hash(click.delivery)


def _hash_network(click: Click) -> int:
    """Hash the network of a click: its ASN from CloudFront, else its address."""
    name = str(click.asn) if click.asn is not None else click.ip or ""
    return int.from_bytes(blake2b(name.encode(), digest_size=2).digest())

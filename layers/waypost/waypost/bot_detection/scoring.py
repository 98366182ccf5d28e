"""What speaks for a machine, how much, and the verdict.

Each signal has a weight in points; a click whose signals reach the threshold is a machine's.
One alone decides only where a person cannot cause it. docs/bot-clicks.md shows how well that
tells them apart, and why the weights are what they are.

A click as its recipient's row remembers it.
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
    """A reason to think of a machine. Values are stored: never reuse one."""

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
    """Human or machine, with the points and the reasons, strongest first."""

    kind: Literal["human", "machine"]
    score: int
    reasons: tuple[str, ...]


def detect_signals(click: Click) -> BotSignal:
    """What the click itself tells, without those around it."""
    if click.signals is not None:
        return BotSignal(click.signals)
    found = (_detect_mail_agent_signal if is_open_id(click.link) else _detect_agent_signal)(
        click.agent
    )
    if click.asn in load_hosting_networks():
        found |= BotSignal.HOSTING_NETWORK
    if to_milliseconds(click.time) - click.sent * 1000 < SOON_AFTER_SENDING_MILLISECONDS:
        found |= BotSignal.SOON_AFTER_SENDING
    if is_honeypot(click.link):
        found |= BotSignal.HONEYPOT
    return found


@cache
def compute_score(signals: int) -> int:
    """The points of all signals together. Those of a newer version count nothing."""
    return sum(points for signal, points in SIGNAL_WEIGHTS.items() if signals & signal)


def build_verdict(signals: BotSignal, *, is_bot: bool | None = None) -> BotVerdict:
    """The verdict with its reasons. ``machine`` is the label as counted, where there is one."""
    points = compute_score(signals)
    if is_bot is None:
        is_bot = points >= DEFAULT_BOT_THRESHOLD
    ranked = sorted(signals, key=lambda signal: -SIGNAL_WEIGHTS[signal])
    reasons = tuple(str(signal.name).lower() for signal in ranked)
    return BotVerdict("machine" if is_bot else "human", points, reasons)


@cache
def load_hosting_networks() -> frozenset[int]:
    """Numbers of networks where servers stand and people do not."""
    lines = (files("waypost.bot_detection") / "hosting_networks.csv").read_text().splitlines()
    rows = (line.split(",", 1)[0] for line in lines if line and not line.startswith("#"))
    return frozenset(int(number) for number in rows if number != "asn")


def _detect_agent_signal(agent: str) -> BotSignal:
    if not agent.strip():
        return BotSignal.NO_AGENT
    if is_known_bot(agent):
        return BotSignal.KNOWN_AGENT
    return BotSignal(0) if is_browser(agent) else BotSignal.ODD_AGENT


def _detect_mail_agent_signal(agent: str) -> BotSignal:
    """What the agent of an open tells."""
    if is_image_prefetch(agent):
        return BotSignal.IMAGE_PREFETCH
    if is_image_proxy(agent):
        return BotSignal.IMAGE_PROXY
    return BotSignal(0) if is_mail_client(agent) else _detect_agent_signal(agent)


def classify_click(click: Click, threshold: int = DEFAULT_BOT_THRESHOLD) -> CountedClick:
    """The mark of a click, judged by what the click itself tells."""
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
    anonymous = click.alias is not None
    return bytes.fromhex(click.delivery) if anonymous else delivery_hash(click.delivery)


def _hash_network(click: Click) -> int:
    """Equal for clicks from one network: its number where CloudFront told it, else the address."""
    name = str(click.asn) if click.asn is not None else click.ip or ""
    return int.from_bytes(blake2b(name.encode(), digest_size=2).digest())

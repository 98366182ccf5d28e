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
    client_kind,
    is_browser,
    is_image_proxy,
    is_known_machine,
    is_mail_client,
    is_prefetch,
)
from waypost.ids import is_opens
from waypost.models.attributes import to_milliseconds
from waypost.models.click import Click
from waypost.models.recipient import Mark, click_hash, delivery_hash
from waypost.models.workspace import WorkspaceSettings


class Signal(IntFlag):
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


WEIGHTS: Final = {
    Signal.KNOWN_AGENT: 100,
    Signal.NO_AGENT: 70,
    Signal.ODD_AGENT: 40,
    Signal.HOSTING_NETWORK: 40,
    Signal.SOON_AFTER_SENDING: 30,
    Signal.HONEYPOT: 100,
    Signal.RUN_OF_LINKS: 40,
    Signal.BURST_OF_LINKS: 100,
    Signal.BESIDE_HONEYPOT: 100,
    Signal.IMAGE_PROXY: 70,
    Signal.IMAGE_PREFETCH: 100,
}
THRESHOLD: Final = WorkspaceSettings().machine_threshold
SOON_MILLISECONDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Human or machine, with the points and the reasons, strongest first."""

    kind: Literal["human", "machine"]
    score: int
    reasons: tuple[str, ...]


def signals_of(click: Click) -> Signal:
    """What the click itself tells, without those around it."""
    if click.signals is not None:
        return Signal(click.signals)
    found = (_of_mail_agent if is_opens(click.link) else _of_agent)(click.agent)
    if click.asn in hosting_networks():
        found |= Signal.HOSTING_NETWORK
    if to_milliseconds(click.time) - click.sent * 1000 < SOON_MILLISECONDS:
        found |= Signal.SOON_AFTER_SENDING
    if is_honeypot(click.link):
        found |= Signal.HONEYPOT
    return found


@cache
def score(signals: int) -> int:
    """The points of all signals together. Those of a newer version count nothing."""
    return sum(points for signal, points in WEIGHTS.items() if signals & signal)


def verdict(signals: Signal, *, machine: bool | None = None) -> Verdict:
    """The verdict with its reasons. ``machine`` is the label as counted, where there is one."""
    points = score(signals)
    if machine is None:
        machine = points >= THRESHOLD
    ranked = sorted(signals, key=lambda signal: -WEIGHTS[signal])
    reasons = tuple(str(signal.name).lower() for signal in ranked)
    return Verdict("machine" if machine else "human", points, reasons)


@cache
def hosting_networks() -> frozenset[int]:
    """Numbers of networks where servers stand and people do not."""
    lines = (files("waypost.bot_detection") / "hosting_networks.csv").read_text().splitlines()
    rows = (line.split(",", 1)[0] for line in lines if line and not line.startswith("#"))
    return frozenset(int(number) for number in rows if number != "asn")


def _of_agent(agent: str) -> Signal:
    if not agent.strip():
        return Signal.NO_AGENT
    if is_known_machine(agent):
        return Signal.KNOWN_AGENT
    return Signal(0) if is_browser(agent) else Signal.ODD_AGENT


def _of_mail_agent(agent: str) -> Signal:
    """What the agent of an open tells."""
    if is_prefetch(agent):
        return Signal.IMAGE_PREFETCH
    if is_image_proxy(agent):
        return Signal.IMAGE_PROXY
    return Signal(0) if is_mail_client(agent) else _of_agent(agent)


def mark_of(click: Click, threshold: int = THRESHOLD) -> Mark:
    """The mark of a click, judged by what the click itself tells."""
    signals = signals_of(click)
    return Mark(
        id=click_hash(click.id),
        link=click.link,
        time=to_milliseconds(click.time),
        delivery=_delivery(click),
        signals=int(signals),
        machine=score(signals) >= threshold,
        client=client_kind(click.agent),
        network=_network(click),
    )


def _delivery(click: Click) -> bytes:
    anonymous = click.alias is not None
    return bytes.fromhex(click.delivery) if anonymous else delivery_hash(click.delivery)


def _network(click: Click) -> int:
    """Equal for clicks from one network: its number where CloudFront told it, else the address."""
    name = str(click.asn) if click.asn is not None else click.ip or ""
    return int.from_bytes(blake2b(name.encode(), digest_size=2).digest())

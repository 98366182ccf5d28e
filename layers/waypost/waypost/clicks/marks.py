"""A click as its recipient's row remembers it."""

from __future__ import annotations

from hashlib import blake2b

from waypost.bot_detection.scoring import THRESHOLD, score, signals_of
from waypost.bot_detection.user_agents import client_kind
from waypost.model.mark import Mark, click_hash, delivery_hash
from waypost.model.times import to_milliseconds
from waypost.models.click import Click


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

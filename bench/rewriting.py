"""Rewriting side by side with pytracking 0.2.2: one more recipient, and a message never seen.

    pip install --target /tmp/pytracking 'pytracking[html]==0.2.2'
    PYTHONPATH=/tmp/pytracking python -m bench.rewriting

The message is 100 KB of HTML with 40 links. Both put the same metadata into every link (delivery,
person, campaign; ours the link and its position besides). pytracking's tokens are base64 and not
signed, its cheapest kind. Everything is measured in one process, in turns; a figure is the least
processor time of one call, and ratios are what carries over to other machines.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from liquid import Environment

from waypost.deciding import OneBaseUrl
from waypost.mailing import Mailing
from waypost.model.workspace import WorkspaceSettings
from waypost.rewriting import message, request, stamping
from waypost.sending import Sending
from waypost.store.memory.campaigns import MemoryCampaigns
from waypost.store.memory.short_links import MemoryShortLinks
from waypost.store.memory.workspaces import MemoryWorkspaces
from waypost.tokens import Keyring, Sealer

ROUNDS = 7
LINKS = 40
BASE = "https://e.example.com"
SEALER = Sealer(Keyring((b"k" * 32,)))
METADATA = {"delivery": "5f0c1a52b7", "person": "p-204113", "campaign": "spring-sale"}


class Figure(NamedTuple):
    """Seconds for one call."""

    name: str
    seconds: float


def html(first_name: str = "Ada") -> str:
    """A mailing in tables within tables, as builders write them: 100 KB."""
    rows = [
        f'<tr><td class="cell" style="padding:12px 24px"><table role="presentation" width="100%" '
        f'cellpadding="0" cellspacing="0" border="0">{_paragraphs(first_name, number)}'
        f'<tr><td align="center" style="padding:0 0 24px"><a class="button" '
        f'href="https://shop.example.com/products/{number * 7919}/spring?variant={number}'
        f'&amp;ref=mail#details" style="color:#0a7">See it</a></td></tr></table></td></tr>'
        for number in range(LINKS)
    ]
    return (
        "<!doctype html><html><head><title>Spring</title></head><body><table>"
        + "".join(rows)
        + "</table></body></html>"
    )


def _paragraphs(first_name: str, number: int) -> str:
    words = ("spring", "garden", "light", "linen", "cedar", "morning", "coast", "harvest", "river")
    text = [
        " ".join(words[(number * 5 + at * row) % len(words)] for at in range(9))
        for row in range(13)
    ]
    style = 'style="font:16px/1.5 Arial,sans-serif;color:#333;padding:0 0 12px"'
    rows = "".join(f"<tr><td {style}>{line}</td></tr>" for line in text)
    return f"<tr><td><h2>{first_name}, offer {number}</h2></td></tr>{rows}"


def mailing(content: str, *, liquid: bool) -> Mailing:
    """Our message, compiled, for a workspace that adds nothing to links."""
    workspaces = MemoryWorkspaces()
    workspaces.save("acme", WorkspaceSettings(cio_id=False, track_opens=False))
    now = datetime(2026, 11, 21, tzinfo=UTC)
    sending = Sending(
        campaigns=MemoryCampaigns(),
        workspaces=workspaces,
        base_urls=OneBaseUrl(BASE),
        short_links=MemoryShortLinks(),
        sealer=lambda: SEALER,
        now=lambda: now,
    )
    asked = {
        "workspace": "acme",
        "campaign": METADATA["campaign"],
        "content": {"html": content},
        "liquid": liquid,
        "recipients": [{"delivery": "d"}],
    }
    return sending.mailing(request.from_value(asked), now)


def recipient(name: str = "Ada") -> request.Recipient:
    """One more recipient."""
    return request.Recipient(
        delivery=METADATA["delivery"], person=METADATA["person"], data={"name": name}
    )


def measured(calls: dict[str, Callable[[], object]]) -> list[Figure]:
    """The least time of every call, measured in turns."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            best[name] = min(best[name], _seconds(call))
    return [Figure(name, seconds) for name, seconds in best.items()]


def _seconds(call: Callable[[], object], calls: int = 60) -> float:
    """The least processor time of one call: what others do on the machine only adds to it."""
    best = float("inf")
    for _ in range(calls):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return best


def uncached(content: str, *, liquid: bool) -> object:
    """A message that was never seen before, for one recipient."""
    message.compiled_parts.cache_clear()
    stamping.prepared.cache_clear()
    return list(mailing(content, liquid=liquid).stamp([recipient()]))


def theirs(content: str) -> Callable[[], object]:
    """What pytracking does for every recipient."""
    import pytracking
    from pytracking.html import adapt_html

    configuration = pytracking.Configuration(base_click_tracking_url=f"{BASE}/")
    return lambda: adapt_html(
        content, extra_metadata=METADATA, open_tracking=False, configuration=configuration
    )


def main() -> None:
    """Measure, and print a table with ratios."""
    content, template = html(), html("{{ name }}")
    print(f"{len(content.encode()):,} bytes, {LINKS} links; templates print 40 variables\n")
    ready, rendered = mailing(content, liquid=False), mailing(template, liquid=True)
    wild = recipient("<b>Ada</b>")
    plain = Environment().from_string(template)
    figures = measured(
        {
            "pytracking adapt_html": theirs(content),
            "one more recipient": lambda: list(ready.stamp([recipient()])),
            "message never seen": lambda: uncached(content, liquid=False),
        }
    )
    show(figures)
    pytracking_html = theirs(content)
    show(
        measured(
            {
                "python-liquid, then adapt_html": lambda: (
                    plain.render(name="Ada"),
                    pytracking_html(),
                ),
                "one more recipient of a template": lambda: list(rendered.stamp([recipient()])),
                "one more, data with markup": lambda: list(rendered.stamp([wild])),
                "template never seen": lambda: uncached(template, liquid=True),
            }
        )
    )
    show_memory(content)


def show(figures: list[Figure]) -> None:
    """Times, and how often each fits into the first."""
    print(f"{'':<36}{'ms':>8}{'times as fast':>16}")
    for figure in figures:
        ratio = figures[0].seconds / figure.seconds
        print(f"{figure.name:<36}{figure.seconds * 1000:>8.3f}{ratio:>16.1f}")
    print()


def show_memory(content: str) -> None:
    """What compiling takes beyond the message itself."""
    tracemalloc.start()
    uncached(content, liquid=False)
    print(f"compiling and stamping peaks at {tracemalloc.get_traced_memory()[1] / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()

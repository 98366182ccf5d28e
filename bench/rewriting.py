"""Rewriting side by side with pytracking 0.2.2: one more recipient, and a message never seen.

    pip install --target /tmp/pytracking 'pytracking[html]==0.2.2'
    PYTHONPATH=/tmp/pytracking python -m bench.rewriting

Two messages of 100 KB with 40 links each: one of tables within tables, as builders write them, and
one of long paragraphs, which is kinder to who parses it for every recipient. Both sides put the
same metadata into every link (delivery, person, campaign; ours the link and its position besides).
pytracking's tokens are base64 and not signed, its cheapest kind. Everything is measured in one
process, in turns; a figure is the least processor time of one call, and ratios are what carries
over to other machines.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from liquid import Environment

from waypost.model.workspace import WorkspaceSettings
from waypost.rewriting import message, request, stamping
from waypost.sending.batches import Sending
from waypost.sending.deciding import OneBaseUrl
from waypost.sending.mailing import Mailing
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


def html(first_name: str = "Ada", *, dense: bool = True) -> str:
    """A mailing of 100 KB, in tables within tables or in long paragraphs."""
    write = _rows if dense else _paragraph
    rows = [
        f'<tr><td class="cell" style="padding:12px 24px"><table role="presentation" width="100%" '
        f'cellpadding="0" cellspacing="0" border="0">{write(first_name, number)}'
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


def _rows(first_name: str, number: int) -> str:
    words = ("spring", "garden", "light", "linen", "cedar", "morning", "coast", "harvest", "river")
    text = [
        " ".join(words[(number * 5 + at * row) % len(words)] for at in range(9))
        for row in range(13)
    ]
    style = 'style="font:16px/1.5 Arial,sans-serif;color:#333;padding:0 0 12px"'
    rows = "".join(f"<tr><td {style}>{line}</td></tr>" for line in text)
    return f"<tr><td><h2>{first_name}, offer {number}</h2></td></tr>{rows}"


def _paragraph(first_name: str, number: int) -> str:
    words = ("spring", "garden", "light", "linen", "cedar", "morning", "coast", "harvest", "river")
    text = " ".join(words[(number * 5 + at * at) % len(words)] for at in range(300))
    return f"<tr><td><h2>{first_name}, offer {number}</h2><p>{text}</p></td></tr>"


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


def once_more(ready: Mailing, one: request.Recipient) -> object:
    """A message for one more recipient."""
    return list(ready.stamp([one]))


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
    """Measure, and print tables with ratios."""
    for title, dense in (("tables within tables", True), ("long paragraphs", False)):
        content = html(dense=dense)
        print(f"{title}: {len(content.encode()):,} bytes, {LINKS} links")
        ready = mailing(content, liquid=False)
        show(
            measured(
                {
                    "pytracking adapt_html": theirs(content),
                    "one more recipient": partial(once_more, ready, recipient()),
                    "message never seen": partial(uncached, content, liquid=False),
                }
            )
        )
    template = html("{{ name }}")
    print("the first as a template that prints 40 variables")
    plain, rendered = Environment().from_string(template), mailing(template, liquid=True)
    adapt, wild = theirs(html()), recipient("<b>Ada</b>")
    show(
        measured(
            {
                "python-liquid, then adapt_html": lambda: (plain.render(name="Ada"), adapt()),
                "one more recipient": partial(once_more, rendered, recipient()),
                "one more, data with markup": partial(once_more, rendered, wild),
                "template never seen": partial(uncached, template, liquid=True),
            }
        )
    )
    show_hostile()


HOSTILE = {
    "<a ": "<a ",
    "<": "<",
    "<!--": "<!--",
    "<!--[if mso]>": "<!--[if mso]>",
    '<a href="x (never closed)': '<a href="x',
    "<div> (nested)": "<div>",
    "<a href=x>": "<a href=https://e.com/>",
    "{% cio_link": "{% cio_link url:x ",
    "{{": "{{ ",
}


def show_hostile() -> None:
    """What a megabyte of one thing takes, to show that nothing is worse than in proportion."""
    print(f"{'a megabyte of':<36}{'ms':>8}{'MiB of objects':>16}")
    for name, unit in HOSTILE.items():
        content = unit * (1_000_000 // len(unit))
        started = time.process_time()
        uncached(content, liquid=False)
        spent = time.process_time() - started
        tracemalloc.start()
        uncached(content, liquid=False)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        print(f"{name:<36}{spent * 1000:>8.0f}{peak:>16.0f}")


def show(figures: list[Figure]) -> None:
    """Times, and how often each fits into the first."""
    print(f"{'':<36}{'ms':>8}{'times as fast':>16}")
    for figure in figures:
        ratio = figures[0].seconds / figure.seconds
        print(f"{figure.name:<36}{figure.seconds * 1000:>8.3f}{ratio:>16.1f}")
    print()


if __name__ == "__main__":
    main()

"""Test real e-mails: each gets one pixel, and nothing else changes."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser

from tests.email_corpus import EMAILS, requires_emails
from waypost.rewrite.compiler import compile_message
from waypost.rewrite.link_rules import LinkRules
from waypost.rewrite.link_writer import restore_text
from waypost.rewrite.links.html import render_pixel
from waypost.rewrite.liquid.runtime import WorkBudget

ADDRESS = "https://e.example.com/e/o/payload/signature"


@requires_emails
def test_each_message_has_room_for_one_pixel_in_the_body_and_changes_nowhere_else() -> None:
    in_body = 0
    for path in EMAILS:
        source = path.read_bytes().decode("utf-8", "replace")
        message = compile_message("email", {"html": source}, LinkRules(track_opens=True))
        [text] = message.plan_texts({}, WorkBudget())
        assert text.plan.pixel_slot is not None, path
        assert restore_text(text.plan) == source, path
        segments = [*text.plan.chunks]
        segments[text.plan.pixel_slot.index] = render_pixel(ADDRESS) + text.plan.pixel_slot.original
        for slot in (*text.plan.tracked_slots, *text.plan.parameter_slots):
            segments[slot.index] = slot.original
        changed = "".join(segments)
        assert changed.replace(render_pixel(ADDRESS), "", 1) == source, path
        shown = LexborHTMLParser(changed).css(f'body img[src="{ADDRESS}"]')
        in_body += len(shown)
    assert in_body >= 0.98 * len(EMAILS)

"""Pixels in real e-mails: one each, and without it the message is as it was."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser

from tests.corpus import EMAILS, needs_emails
from waypost.rewrite.compiler import compiled_message
from waypost.rewrite.link_rules import Rules
from waypost.rewrite.link_writer import unstamped
from waypost.rewrite.links.html import image

ADDRESS = "https://e.example.com/e/o/payload/signature"


@needs_emails
def test_each_message_has_room_for_one_pixel_in_the_body_and_changes_nowhere_else() -> None:
    in_body = 0
    for path in EMAILS:
        source = path.read_bytes().decode("utf-8", "replace")
        message = compiled_message("email", {"html": source}, Rules(track_opens=True))
        [text] = message.planned({})
        assert text.plan.pixel is not None, path
        assert unstamped(text.plan) == source, path
        segments = [*text.plan.segments]
        segments[text.plan.pixel.at] = image(ADDRESS) + text.plan.pixel.original
        for slot in (*text.plan.tracked, *text.plan.extended):
            segments[slot.at] = slot.original
        changed = "".join(segments)
        assert changed.replace(image(ADDRESS), "", 1) == source, path
        shown = LexborHTMLParser(changed).css(f'body img[src="{ADDRESS}"]')
        in_body += len(shown)
    assert in_body >= 0.98 * len(EMAILS)

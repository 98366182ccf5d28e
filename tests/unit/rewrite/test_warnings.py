"""Test the warnings about links of single recipients."""

from __future__ import annotations

from tests.rewrite_harness import RewriteHarness

MANY = "".join(f'<a href="https://acme.com/{n}">go</a>' for n in range(12))


def test_links_of_a_message_without_template_get_no_tag_warning(
    harness: RewriteHarness,
):
    assert harness.rewrite(recipient_count=3, content={"html": MANY})["warnings"] == []


def test_links_from_recipient_data_get_a_warning_to_use_a_tag(harness: RewriteHarness):
    recipients = [
        {"delivery": f"d{one}", "data": {"html": MANY.replace("com/", f"com/{one}/")}}
        for one in range(2)
    ]
    content = {"html": "{{ html }}"}
    (warning,) = harness.rewrite(content=content, liquid=True, recipients=recipients)["warnings"]
    assert warning.startswith("24 links belong to one recipient each")

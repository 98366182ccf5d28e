"""What a pipeline is warned of, and what it is not."""

from __future__ import annotations

from tests.rewrite_harness import RewriteHarness

MANY = "".join(f'<a href="https://acme.com/{n}">go</a>' for n in range(12))


def test_the_links_of_a_message_that_is_the_same_for_all_belong_to_nobody_alone(
    office: RewriteHarness,
):
    assert office.rewrite(recipient_count=3, content={"html": MANY})["warnings"] == []


def test_links_that_come_out_of_each_recipients_data_want_a_tag(office: RewriteHarness):
    recipients = [
        {"delivery": f"d{one}", "data": {"html": MANY.replace("com/", f"com/{one}/")}}
        for one in range(2)
    ]
    content = {"html": "{{ html }}"}
    (warning,) = office.rewrite(content=content, liquid=True, recipients=recipients)["warnings"]
    assert warning.startswith("24 links belong to one recipient each")

"""Test the warnings about leftover merge tags, private hosts and contact data in ``_cio_id``."""

from __future__ import annotations

from html import escape

import pytest

from tests.message_harness import MessageHarness


def list_warnings(messages: MessageHarness, href: str, person: str = "p1") -> list[str]:
    source = f'<a href="https://e.com/">x</a><a href="{escape(href)}">x</a>'
    recipients = [{"delivery": "d1", "person": person}]
    return messages.rewrite(content={"html": source}, recipients=recipients)["warnings"]


@pytest.mark.parametrize(
    "tag",
    [
        *(
            "%%FIRST_NAME%%",
            "*|EMAIL|*",
            "*%7CEMAIL%7C*",
            "[[data:name]]",
            "${user}",
            "$%7Buser%7D",
        ),
        *("<%= user.name %>", "%3C%25=user%25%3E", "%7B%7Bcustomer.id%7D%7D", "%7b%7bx%7d%7d"),
    ],
)
def test_merge_tag_of_another_system_is_reported(messages: MessageHarness, tag: str):
    [warning] = list_warnings(messages, f"https://e.com/?n={tag}")
    assert warning.startswith("links with a merge tag of another system")
    assert "(1); the first is link 2: " in warning


@pytest.mark.parametrize(
    "href",
    [
        *(
            "http://localhost:3000/",
            "https://dev.localhost/x",
            "http://127.0.0.1/",
            "http://0x7f.1",
        ),
        *("https://10.1.2.3/", "http://172.16.0.1/", "http://192.168.1.1:8080/", "http://[::1]/"),
        *(
            "http://[fd00::1]/",
            "http://169.254.1.1/",
            "http://2130706433/",
            "http://[::ffff:10.0.0.1]/",
        ),
    ],
)
def test_private_host_is_reported(messages: MessageHarness, href: str):
    [warning] = list_warnings(messages, href)
    assert warning.startswith("links to a private host")
    assert "(1); the first is link 2: " in warning


@pytest.mark.parametrize(
    "href",
    [
        *("https://e.com/100%25%25off", "https://e.com/a*b|c", "https://e.com/?a[]=1&b[x]=2"),
        *("https://localhost.example.com/", "https://8.8.8.8/", "https://[2606:4700::1]/"),
        *("https://e.com/$%7B", "https://10.example/", "mailto:a@localhost", "#top"),
    ],
)
def test_ordinary_link_has_no_warning(messages: MessageHarness, href: str):
    assert list_warnings(messages, href) == []


@pytest.mark.parametrize(
    ("person", "is_reported"),
    [
        ("ada@example.com", True),
        ("+49 151 2345678", True),
        ("+491512345678", True),
        ("(0151) 234-5678", True),
        ("0151 23456789", True),
        ("84213", False),
        ("15123456789", False),
        ("a@b", False),
        ("2026-12-01", False),
        ("0193c1a2-7b1e-7000-8000-000000000000", False),
    ],
)
def test_person_identifier_that_is_contact_data_is_reported(
    messages: MessageHarness, person: str, is_reported: bool
):
    assert list_warnings(messages, "https://e.com/x", person) == []  # no _cio_id is added
    messages.save_settings(cio_id=True)
    warnings = list_warnings(messages, "https://e.com/x", person)
    assert [("_cio_id looks like" in warning) for warning in warnings] == [True] * is_reported
    assert all(person not in warning for warning in warnings)

"""What docs/migrating-from-customerio.md says stays the same in templates."""

from __future__ import annotations

import pytest

from waypost.client import Client

TEMPLATE = """
<a href="{{trigger.custom_url}}">personal</a>
<a href="https://acme.com/untracked" class="button untracked">left</a>
<a href="https://acme.com/plain" class="disable-url-params">no parameters</a>
<a href="https://acme.com/both" class="disable-url-params untracked">neither</a>
<a href="https://acme.com/?token=123abc" data-cio-tag="RESET">grouped</a>
<a href="mailto:help@acme.com">left</a>
<a href="{% cio_link url:mailto:sales@acme.com %}">tracked</a>
<a href="{% cio_link url:https://acme.com/off track:false %}">left</a>
<a href="{% cio_link url:https://acme.com/bare url_params:false %}">no parameters</a>
<a href="acme.com">left</a>
"""


@pytest.fixture
def report(account):
    """What became of each link, by its text in the template."""
    run = Client(account.ref("RewriteFunction")).rewrite(
        {
            "workspace": "moved",
            "campaign": "sale",
            "content": {"html": TEMPLATE},
            "liquid": True,
            "dry_run": True,
        },
        [
            {
                "delivery": "1",
                "person": "1",
                "data": {"trigger": {"custom_url": "https://acme.com/1"}},
            }
        ],
    )
    assert list(run) == []
    assert run.failed == []
    return {link["url"]: link for link in run.links}


@pytest.mark.parametrize(
    ("url", "tracked", "destination"),
    [
        ("{{trigger.custom_url}}", True, "https://acme.com/1?_cio_id=1"),
        ("https://acme.com/untracked", False, None),
        ("https://acme.com/plain", True, "https://acme.com/plain"),
        ("https://acme.com/both", False, None),
        ("https://acme.com/?token=123abc", True, "https://acme.com/?token=123abc&_cio_id=1"),
        ("mailto:help@acme.com", False, None),
        ("mailto:sales@acme.com", True, "mailto:sales@acme.com"),
        ("https://acme.com/off", False, None),
        ("https://acme.com/bare", True, "https://acme.com/bare"),
        ("acme.com", False, None),
    ],
)
def test_what_templates_say_of_links_means_the_same(report, url, tracked, destination):
    link = report[url]
    assert link["tracked"] is tracked
    if tracked:
        assert link["destination"] == destination


def test_links_of_one_tag_are_one_in_reports(report):
    assert report["https://acme.com/?token=123abc"]["tag"] == "RESET"

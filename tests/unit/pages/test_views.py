import re

import pytest

from tests.workspace import definition


@pytest.fixture
def links(workspace):
    links = workspace.send(
        "spring sale/€",
        [
            definition("https://example.com/a?x=1&y=2"),
            definition("https://example.com/b", "CTA", 2),
        ],
    )
    workspace.click(links[0], "1", person="ada")
    workspace.click(links[0], "2", person="ada", after=60)
    workspace.click(links[1], "3", person="ben", agent="")
    return links


def figures(html: str) -> dict[str, str]:
    """The headline figures of a page."""
    head = html.partition("</dl>")[0]
    return dict(re.findall(r'data-figure="(\w+)">([^<]*)<', head))


def test_the_figures_of_a_campaign_are_those_of_its_report(workspace, visit, links):
    answer = visit(
        "campaign", workspace.token("spring sale/€"), workspace="acme", campaign="spring sale/€"
    )
    assert answer["statusCode"] == 200
    assert figures(answer["body"]) == {
        "deliveries": "10",
        "clicked": "2",
        "total": "3",
        "unique": "2",
        "human": "2",
        "machine": "1",
    }

"""Where links stand in HTML, and that nothing else is taken for one."""

import json
from pathlib import Path

import pytest

from waypost.rewrite.links.extractor import HTML_LINKS, find_links

VECTORS = json.loads((Path(__file__).parent / "html_links.json").read_text())


def hrefs(html: str) -> list[str]:
    return [place.href for place in find_links(HTML_LINKS, html, "html")]


@pytest.mark.parametrize("vector", VECTORS, ids=[v["name"] for v in VECTORS])
def test_links_are_those_of_the_html_standard_and_of_outlook(vector):
    assert hrefs(vector["html"]) == vector["hrefs"]


@pytest.mark.parametrize(
    "html",
    [
        '<script><!--[if mso]><a href="n"></a><![endif]--></script>',
        '<textarea><!--[if mso]><a href="n"></a><![endif]--></textarea>',
        '<p title="<!--[if mso]><a href=n>">x</p>',
        "<svg><![CDATA[<!--[if mso]><a href=n><![endif]-->]]></svg>",
        '<!--[if !mso]><a href="n"></a><![endif]-->',
        '<!--[if IE]><a href="n"></a><![endif]-->',
        '<!-- <!--[if mso]><a href="n"></a> -->',
        '[if mso]><a title="<!--[if mso]><a href=n>"></a>',
        '--[if mso]><!--[ if mso]><a href="n"></a><![endif]-->',
    ],
)
def test_what_only_looks_like_a_comment_for_outlook_has_no_links(html):
    assert hrefs(html) == []


@pytest.mark.parametrize(
    "condition", ["mso", "gte mso 9", "(gte mso 9)|(IE)", "mso | IE", "MSO", "lt mso 14"]
)
def test_outlook_reads_a_comment_under_every_spelling_of_its_condition(condition):
    assert hrefs(f'<!--[if {condition}]><v:rect href="x"><link href="n"><![endif]-->') == ["x"]


def test_equal_comments_are_told_apart_by_where_they_stand():
    comment = '<!--[if mso]><a href="x"></a><![endif]-->'
    html = f"<script>{comment}</script>{comment}"
    [place] = find_links(HTML_LINKS, html, "html")
    assert place.start == html.rindex('"x"') + 1

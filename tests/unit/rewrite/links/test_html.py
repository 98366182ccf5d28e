"""Links in HTML and in conditional comments for Outlook."""

import json
from pathlib import Path

import pytest

from waypost.rewrite.links.extractor import HTML_LINKS, find_links

VECTORS = json.loads((Path(__file__).parent / "html_links.json").read_text())


def list_hrefs(html: str) -> list[str]:
    return [link.href for link in find_links(HTML_LINKS, html)]


@pytest.mark.parametrize("vector", VECTORS, ids=[v["name"] for v in VECTORS])
def test_html_links_follow_the_html_standard_and_outlook(vector):
    assert list_hrefs(vector["html"]) == vector["hrefs"]


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
def test_text_that_only_looks_like_an_outlook_comment_has_no_links(html):
    assert list_hrefs(html) == []


@pytest.mark.parametrize(
    "condition", ["mso", "gte mso 9", "(gte mso 9)|(IE)", "mso | IE", "MSO", "lt mso 14"]
)
def test_outlook_comment_is_recognized_in_every_spelling_of_its_condition(condition):
    assert list_hrefs(f'<!--[if {condition}]><v:rect href="x"><link href="n"><![endif]-->') == ["x"]


def test_equal_outlook_comments_are_distinguished_by_offset():
    comment = '<!--[if mso]><a href="x"></a><![endif]-->'
    html = f"<script>{comment}</script>{comment}"
    [link] = find_links(HTML_LINKS, html)
    assert link.start == html.rindex('"x"') + 1


def test_links_are_found_after_many_tags_of_html_and_body():
    tags = "".join(f"<BODY a{n}><hTmL b{n}>" for n in range(200))
    assert list_hrefs(f'{tags}<a href="x">{tags}</body><a href="y">') == ["x", "", "y"]


def test_links_are_found_beside_every_character_for_private_use():
    characters = "".join(map(chr, range(0xE000, 0xF900)))
    comment = f'<!--[if mso]>{characters}<a href="x"><![endif]-->'
    assert list_hrefs(f'{characters}{comment}<a href="y" title="{characters}">') == ["x", "y"]

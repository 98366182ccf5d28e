"""A compiled template has the same text and links as its text rendered by plain python-liquid."""

from __future__ import annotations

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from liquid import Environment
from liquid.exceptions import LiquidError

from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import HTML_LINKS, TEXT_LINKS, Markup, find_links
from waypost.rewrite.links.occurrence import LinkOccurrence
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate

PLAIN = Environment()

TEXT = st.sampled_from(
    [
        *("a", " ", "\n", "\r\n", "<", ">", "&", '"', "'", "-", "--", "!", "}", "=", "x y"),
        *("&amp;", "&copy", "https://e.example/?a=1&b=2", "#f", "é"),
        *("<p>", "</p>", "<td title='q'>", '<b class="c">', "<br/>", "<!-- c -->"),
        *("<style>a{}</style>", "<script>1<2</script>", "<title>t</title>", "</title>", "<!--"),
        *("-->", "<style>", "</style>", "<textarea>", "</textarea>", "<table><tr><td>"),
        *("<!--[if mso]>", "<![endif]-->", "<svg>", "</svg>", "<select>", "</select>"),
        *("<a href='https://e.example/s'>", '<a href="https://e.example/d" class="untracked">'),
        *("<a href=https://e.example/u>", "</a>", '<area href="https://e.example/area">'),
        *('<a title="t" ', "<a href", '"', "<v:rect href='https://e.example/v'>", "/>"),
    ]
)
VARIABLE = st.sampled_from(
    ["{{ u }}", "{{u}}", "{{- v -}}", "{{ w | append: '?q' }}", "{{ l[0] }}"]
)
LINK = st.builds(
    "<a href={0}{1}{2}{3}{0}>".format,
    st.sampled_from(['"', "'", ""]),
    st.sampled_from(["", "https://e.example/", "x"]),
    VARIABLE,
    st.sampled_from(["", "?a=1&amp;b=2", " y"]),
)
LEAF = st.one_of(TEXT, TEXT, VARIABLE, LINK)


def _build_blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=4).map("".join)
    return st.one_of(
        several.map("{{% if c %}}{}{{% endif %}}".format),
        st.tuples(several, several).map(
            lambda t: f"{{% unless c %}}{t[0]}{{% else %}}{t[1]}{{% endunless %}}"
        ),
        several.map("{{% for i in l %}}{}{{{{ i }}}}{{% endfor %}}".format),
        several.map(
            "{{% for i in l %}}{}{{% if c %}}{{% break %}}{{% endif %}}{{% endfor %}}".format
        ),
        several.map("{{% capture k %}}{}{{% endcapture %}}{{{{ k }}}}".format),
        several.map("{{% comment %}}{}{{% endcomment %}}".format),
        several.map("{{% raw %}}{}{{% endraw %}}".format),
        several.map("{{%- assign z = 1 -%}}{}".format),
    )


TEMPLATE = st.lists(st.recursive(LEAF, _build_blocks, max_leaves=12), max_size=8).map("".join)
VALUE = st.one_of(
    st.sampled_from(
        [
            *("", "https://e.example/v?a=1&b=2", "plain", "<", ">", '"', "'", "-", "--", "->"),
            *('<a href="https://e.example/i">', "</a>", "</title>", "<!--", "-->", "&amp;", "b"),
            *("{{ x }}", "{", "}}", "script>", "a href=https://e.example/j>", "/style>", "!--"),
            *('" title="', "' x='", "é", "\r\n", "\x00", "class=untracked"),
        ]
    ),
    st.text(max_size=5),
)
DATA = st.fixed_dictionaries(
    {
        "u": VALUE,
        "v": VALUE,
        "w": VALUE,
        "c": st.booleans(),
        "l": st.lists(VALUE, min_size=1, max_size=2),
    }
)


def list_link_values(links: list[LinkOccurrence]) -> list[tuple[object, ...]]:
    """List the fields that rewriting depends on, without the identity in reports."""
    return [
        (link.start, link.end, link.href, link.track, link.url_params, link.tag, link.requested)
        for link in links
    ]


def check_template(markup: Markup, source: str, data: dict[str, object]) -> None:
    note(f"{source!r} {data!r}")
    try:
        plain = PLAIN.from_string(source)
    except LiquidError:
        with pytest.raises(InvalidRequest):
            LiquidTemplate(markup, source, "content.html")
        return
    template = LiquidTemplate(markup, source, "content.html")
    rendered = template.render(data, WorkBudget())
    assert rendered.text == plain.render(data)
    assert list_link_values(rendered.occurrences) == list_link_values(
        find_links(markup, rendered.text)
    )


@settings(max_examples=4 * settings().max_examples)
@given(TEMPLATE, DATA)
def test_html_template_has_the_links_of_its_rendered_text(source, data):
    check_template(HTML_LINKS, source, data)


@given(TEMPLATE, DATA)
def test_text_template_has_the_links_of_its_rendered_text(source, data):
    check_template(TEXT_LINKS, source, data)

"""Syntax of ``cio_link``."""

import pytest

from waypost.errors import InvalidRequest
from waypost.rewrite.links.cio_link import CioLink, find_cio_links, parse_cio_link, parse_flag


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (" url:https://e.com/?a=b:c ", CioLink("https://e.com/?a=b:c")),
        (" url: https://e.com ", CioLink("https://e.com")),
        (' url:"https://e.com/a b" ', CioLink("https://e.com/a b")),
        (" url:'https://e.com' track:false", CioLink("https://e.com", "false")),
        (" track: false url_params: true url: x", CioLink("x", "false", "true")),
        (
            " url:https://e.com, track:false, url_params:false",
            CioLink("https://e.com", "false", "false"),
        ),
        (" url:https://e.com/a,b track:true", CioLink("https://e.com/a,b")),
        (" url:{{ trigger.url }} track:true", CioLink("{{ trigger.url }}")),
        (' url:"{{ u | default: "x" }}"', CioLink('{{ u | default: "x" }}')),
        (
            " url:https://e.com/{{ a }}/{{ b | c: 'd' }}?x",
            CioLink("https://e.com/{{ a }}/{{ b | c: 'd' }}?x"),
        ),
        (' url:mailto:a@b.c track:"false"', CioLink("mailto:a@b.c", "false")),
        ("\n url:\n https://e.com\n", CioLink("https://e.com")),
    ],
)
def test_cio_link_arguments_are_bare_or_quoted_in_any_order(arguments, expected):
    assert parse_cio_link(arguments, "content.text") == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("", "no url; add url:"),
        (" track:true", "no url; add url:"),
        (" url:", "no url; add url:"),
        (' url:""', "no url; add url:"),
        (" https://e.com", "unknown argument ('https'); use url"),
        (" url:https://e.com tarck:false", "unknown argument ('tarck')"),
        (" url:https://e.com false", "not of the form name:value"),
    ],
)
def test_invalid_cio_link_is_refused_with_field_and_reason(arguments, reason):
    with pytest.raises(InvalidRequest) as error:
        parse_cio_link(arguments, "content.text")
    assert error.value.problems[0].field == "content.text"
    assert reason in error.value.problems[0].reason


@pytest.mark.parametrize(("value", "flag"), [("true", True), ("False", False), (" TRUE ", True)])
def test_cio_link_flag_is_true_or_false_in_any_case(value, flag):
    assert parse_flag("track", value, "content.text") is flag


def test_cio_link_flag_with_another_value_is_refused():
    with pytest.raises(InvalidRequest, match="not true or false"):
        parse_flag("track", "yes", "content.text")


def test_cio_link_dashes_remove_whitespace_as_in_liquid():
    text = "a \n{%- cio_link url:x -%} \n b {% cio_link url:y %} c"
    assert [text[start:end] for start, end, _ in find_cio_links(text)] == [
        " \n{%- cio_link url:x -%} \n ",
        "{% cio_link url:y %}",
    ]


def test_other_liquid_tags_are_not_cio_links():
    assert list(find_cio_links("{% cio_links url:x %} {% if x %} {%cio_link")) == []

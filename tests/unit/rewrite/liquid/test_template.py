"""Templates: what is one link, what a recipient's data may do, and where limits are."""

from __future__ import annotations

from typing import Any

import pytest
from liquid import Environment

from tests.unit.rewrite.conftest import MessageHarness, decode_links
from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import HTML_LINKS, TEXT_LINKS, Markup
from waypost.rewrite.liquid.template import LiquidTemplate
from waypost.rewrite.service import RewriteResponse


def sent(desk: MessageHarness, html: str, *datas: dict[str, Any], **body: Any) -> RewriteResponse:
    recipients = [
        {"delivery": f"d{n}", "person": f"p{n}", "data": data} for n, data in enumerate(datas)
    ]
    return desk.rewrite(content={"html": html}, liquid=True, recipients=recipients, **body)


def texts(answer: RewriteResponse) -> list[str]:
    return [decode_links(str(delivery["content"]["html"])) for delivery in answer["deliveries"]]


def test_every_recipient_gets_their_own_destination_under_one_link(desk: MessageHarness):
    answer = sent(
        desk,
        '<a href="{{trigger.custom_url}}">x</a>',
        {"trigger": {"custom_url": "https://e.com/1"}},
        {"trigger": {"custom_url": "https://e.com/2?a=1&b=2"}},
    )
    assert texts(answer) == [
        '<a href="[https://e.com/1]">x</a>',
        '<a href="[https://e.com/2?a=1&b=2]">x</a>',
    ]
    [link] = answer["links"]
    assert (link["url"], link["destination"]) == ("{{trigger.custom_url}}", "https://e.com/1")


def test_loops_conditions_and_quotes_in_filters(desk: MessageHarness):
    html = (
        '{% for p in ps %}<a href="{{ p.url | default: "https://e.com/none" }}">{{ p.name }}</a>'
        "{% endfor %}{% if vip %}<a href='https://e.com/vip?x={{ \"a b\" | url_encode }}'>v</a>"
        "{% endif %}"
    )
    answer = sent(
        desk,
        html,
        {"ps": [{"url": "https://e.com/1", "name": "1 < 2"}, {"name": "B"}], "vip": True},
        {"ps": []},
    )
    first, second = texts(answer)
    assert first == (
        '<a href="[https://e.com/1]">1 < 2</a><a href="[https://e.com/none]">B</a>'
        "<a href='[https://e.com/vip?x=a+b]'>v</a>"
    )
    assert second == ""
    assert len({link["link"] for link in answer["links"]}) == 2


def test_a_link_in_a_recipients_data_is_tracked_under_its_own_url(desk: MessageHarness):
    answer = sent(desk, "<p>{{ block }}</p>", {"block": '<a href="https://e.com/x">x</a>'})
    assert texts(answer) == ['<p><a href="[https://e.com/x]">x</a></p>']
    assert answer["links"][0]["url"] == "https://e.com/x"


def test_a_captured_link_keeps_the_identity_of_the_template(desk: MessageHarness):
    html = (
        '{% capture b %}<a href="{{ u }}">x</a>{% cio_link url:{{ u }}/c %}{% endcapture %}{{ b }}'
    )
    answer = sent(desk, html, {"u": "https://e.com/1"}, {"u": "https://e.com/2"})
    assert texts(answer)[1] == '<a href="[https://e.com/2]">x</a>[https://e.com/2/c]'
    assert [link["url"] for link in answer["links"]] == ["{{ u }}", "{{ u }}/c"]


def test_data_cannot_close_the_attribute_it_stands_in_and_go_unnoticed(desk: MessageHarness):
    answer = sent(
        desk, '<a href="https://e.com/{{ x }}">a</a>', {"x": '"><a href="https://evil.example/'}
    )
    assert texts(answer) == ['<a href="[https://e.com/]"><a href="[https://evil.example/]">a</a>']


def test_data_cannot_ask_for_tracking(desk: MessageHarness):
    tag = "{% cio_link url:mailto:evil@example.com %}"
    assert texts(sent(desk, "<p>{{ x }}</p>", {"x": tag})) == [f"<p>{tag}</p>"]


def test_a_missing_variable_fails_its_recipient_and_no_other(desk: MessageHarness):
    answer = sent(
        desk, "\n{{ customer.name }}", {"customer": {"name": "A"}}, {}, {"customer": {"name": "B"}}
    )
    assert [delivery["delivery"] for delivery in answer["deliveries"]] == ["d0", "d2"]
    assert answer["failed"] == [
        {
            "delivery": "d1",
            "field": "content.html",
            "reason": "customer.name is missing from the recipient's data (line 2)",
        }
    ]


@pytest.mark.parametrize("name", ["\ud800", "x" * 5000])
def test_a_reason_is_short_and_text_whatever_the_data_is(desk: MessageHarness, name):
    html = "{{ customer[name] }}", "{% cio_link url:https://e.com track:{{ name }} %}"
    for template in html:
        [failure] = sent(desk, template, {"customer": {}, "name": name})["failed"]
        assert len(failure["reason"].encode()) < 300


def test_a_missing_variable_may_be_asked_for_and_replaced(desk: MessageHarness):
    html = (
        "{% if a %}x{% else %}y{% endif %}{{ b | default: 'z' }}{% unless a.b.c %}w{% endunless %}"
    )
    assert texts(sent(desk, html, {})) == ["yzw"]


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        (
            "{% for a in (1..100) %}{% for b in (1..101) %}x{% endfor %}{% endfor %}",
            "loops more than",
        ),
        ("{% for a in (1..9999) %}{{ big }}{% endfor %}", "renders to more than"),
        (
            "{% assign s = big %}{% for i in (1..30) %}{% assign s = s | append: s %}{% endfor %}",
            "more than",
        ),
        ("{{ big | replace: 'x', big }}", "more than"),
        ("{{ many | join: big }}", "more than"),
        ("{{ 1 | divided_by: 0 }}", "cannot be rendered (line 1)"),
        ("{{ 'u7u7' | base64_decode }}", "cannot be rendered (line 1)"),
        ("{{ half | url_encode }}", "cannot be rendered (line 1)"),
        ("{{ 'nan' | ceil }}", "cannot be rendered (line 1)"),
        ("{{ '' | uniq: 1 }}", "cannot be rendered (line 1)"),
        ("{{ digits | date: '%Y' }}", "cannot be rendered (line 1)"),
        ("{% if object contains many %}x{% endif %}", "cannot be rendered"),
        (
            "{% assign n = 99999 %}{% for i in (1..30) %}{% assign n = n | times: n %}{% endfor %}",
            "cannot be rendered (line 1)",
        ),
        ("{{ x | nope }}", "a filter that does not exist"),
        ("{{ half }}", "a lone surrogate"),
        ("{% include 'etc/passwd' %}", "cannot be rendered"),
        ("{% cio_link url:https://e.com track:{{ x }} %}", "not true or false"),
    ],
)
def test_what_cannot_be_rendered_is_an_error_in_our_words(desk: MessageHarness, html, reason):
    data: dict[str, object] = {"big": "x" * 5000, "many": ["a"] * 5000, "half": "\ud800"}
    data |= {"x": "maybe", "digits": "9" * 5000, "object": {"a": 1}}
    [failure] = sent(desk, html, data)["failed"]
    assert failure["field"] == "content.html"
    assert reason in failure["reason"]
    assert "liquid" not in failure["reason"].lower()


@pytest.mark.parametrize(
    "html",
    [
        "a\n{{ x",
        '<a href="{{"\0}}=">',  # found by fuzzing
        "a\n{% if x",
        "a\n{% if x %}",
        "a\n{% raw %}x",
        "a\n{% comment %}x{% comment %}{% endcomment %}",
        "a\n{% nosuchtag %}",
        "a\n{{ x | }}",
        "a\n{% endif %}",
    ],
)
def test_what_is_not_liquid_is_refused_as_a_whole(desk: MessageHarness, html):
    with pytest.raises(InvalidRequest, match=r"content\.html: .*Liquid"):
        sent(desk, html, {})


@pytest.mark.parametrize(
    "unit", ["{{", "{%", "{% raw %}", "{% comment %}", "{% if x %}", "{% cio_link", "{{%"]
)
def test_a_megabyte_of_openings_is_refused(unit):
    with pytest.raises(InvalidRequest):
        LiquidTemplate(HTML_LINKS, unit * (900_000 // len(unit)), "content.html")


@pytest.mark.parametrize(
    "html",
    [
        "<p>{{ a }}</p><a href=\"{{ b }}\" title='{{ c }}'>{{ d }}</a>",
        '{% if a %}<a href="https://e.com">{% else %}<b>{% endif %}',
        '{% for a in b %}<p style="color:{% if a %}red{% endif %}">{{ a }}{% endfor %}',
        "<table>{% for a in b %}<tr><td style='{{ a }}'>{{ a }}</td></tr>{% endfor %}</table>",
        "<style>a{color:{{ c }}}</style><title>{{ t }}</title>",
        '<!--[if mso]><v:rect href="{{ u }}">{{ t }}</v:rect><![endif]-->',
        "{% assign a = 1 %}{% comment %}<a {% endcomment %}{% raw %}{{ x }}{% endraw %}",
        '<a href="{% cio_link url:{{ u }} %}">x</a>',
    ],
)
def test_ordinary_templates_are_searched_once(html):
    assert LiquidTemplate(HTML_LINKS, html, "content.html").has_static_links


@pytest.mark.parametrize("html", ['<a href="">{{ x }}</a>', "<a href>{{ x }}</a>"])
def test_a_link_that_leads_nowhere_is_found_in_steady_templates_too(html):
    template = LiquidTemplate(HTML_LINKS, html, "content.html")
    [place] = template.render({"x": "y"}).occurrences
    assert (template.has_static_links, place.href) == (True, "")


def test_links_of_a_text_are_known_in_whatever_order_they_come():
    template = LiquidTemplate(TEXT_LINKS, "{{ u }} https://e.com/{{ v }} {{ w }}", "content.text")
    data = {"u": "https://e.com/1", "v": "2", "w": "https://e.com/3"}
    urls = [place.url for place in template.render(data).occurrences]
    assert urls == ["{{ u }}", "https://e.com/{{ v }}", "{{ w }}"]


@pytest.mark.parametrize(
    "html",
    [
        "<a {{ attributes }}>",
        "<a href={{ u }}>",
        '<a {% if x %}href="a"{% endif %}>',
        '<a class="{{ c }}" href="https://e.com">',
        "<{{ tag }}>",
        "<  {{- tag }}>",
        "{% if x %}<!--{% endif %}",
        "{% if x %}<style>{% endif %}",
        '<a href="{% if x %}">{% endif %}',
        "<select>{{ x }}</select>",
        "<svg>{{ x }}</svg>",
        "<style></{{ x }}></style>",
        "<!-- {{ x }}--> ",
        "{% cycle 'a', 'b' %}",
        "{% raw %}<a href='https://e.com'>{% endraw %}",
        "<p {{ x }}>",
    ],
)
def test_templates_that_data_can_turn_into_something_else_are_searched_each_time(html):
    assert not LiquidTemplate(HTML_LINKS, html, "content.html").has_static_links


def test_a_variable_of_a_text_that_turns_out_to_be_a_link_is_known_by_its_name():
    template = LiquidTemplate(
        TEXT_LINKS, "Go ({{ trigger.url }}?x=1). Bye {{ name }}", "content.text"
    )
    [place] = template.render({"trigger": {"url": "https://e.com/1"}, "name": "Ada"}).occurrences
    assert (place.href, place.url) == ("https://e.com/1?x=1", "{{ trigger.url }}?x=1")


@pytest.mark.parametrize("markup", [HTML_LINKS, TEXT_LINKS])
@pytest.mark.parametrize(
    "source", ['a {{- u -}}" b', "a {{- u -}} b", '"{{- u -}}" b', "a {{ u -}}\n{{- u }} b"]
)
def test_dashes_take_as_much_whitespace_as_they_do_without_us(markup: Markup, source: str):
    data = {"u": "https://e.com/"}
    expected = Environment().from_string(source).render(data)
    assert LiquidTemplate(markup, source, "content.text").render(data).text == expected


@pytest.mark.parametrize(
    "source", ["https://e.com/{% raw %} {% endraw %}", "{% raw %} {% endraw %}https://e.com/ x"]
)
def test_nothing_of_ours_is_ever_put_into_raw_text(source: str):
    expected = Environment().from_string(source).render()
    assert LiquidTemplate(TEXT_LINKS, source, "content.text").render({}).text == expected

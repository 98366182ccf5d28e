"""Templates: identity of links, effects of recipients' data, and limits."""

from __future__ import annotations

from typing import Any

import pytest
from liquid import Environment

from tests.message_harness import MessageHarness, decode_links
from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import HTML_LINKS, TEXT_LINKS, Markup
from waypost.rewrite.liquid.runtime import WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate
from waypost.rewrite.service import RewriteResponse


def render_messages(
    messages: MessageHarness, html: str, *data_sets: dict[str, Any], **body: Any
) -> RewriteResponse:
    recipients = [
        {"delivery": f"d{n}", "person": f"p{n}", "data": data} for n, data in enumerate(data_sets)
    ]
    return messages.rewrite(content={"html": html}, liquid=True, recipients=recipients, **body)


def decode_texts(response: RewriteResponse) -> list[str]:
    return [decode_links(str(delivery["content"]["html"])) for delivery in response["deliveries"]]


def test_template_link_has_one_identity_and_a_destination_per_recipient(messages: MessageHarness):
    response = render_messages(
        messages,
        '<a href="{{trigger.custom_url}}">x</a>',
        {"trigger": {"custom_url": "https://e.com/1"}},
        {"trigger": {"custom_url": "https://e.com/2?a=1&b=2"}},
    )
    assert decode_texts(response) == [
        '<a href="[https://e.com/1]">x</a>',
        '<a href="[https://e.com/2?a=1&b=2]">x</a>',
    ]
    [link] = response["links"]
    assert (link["url"], link["destination"]) == ("{{trigger.custom_url}}", "https://e.com/1")


def test_links_in_loops_conditions_and_filter_arguments_are_tracked(messages: MessageHarness):
    html = (
        '{% for p in ps %}<a href="{{ p.url | default: "https://e.com/none" }}">{{ p.name }}</a>'
        "{% endfor %}{% if vip %}<a href='https://e.com/vip?x={{ \"a b\" | url_encode }}'>v</a>"
        "{% endif %}"
    )
    response = render_messages(
        messages,
        html,
        {"ps": [{"url": "https://e.com/1", "name": "1 < 2"}, {"name": "B"}], "vip": True},
        {"ps": []},
    )
    first, second = decode_texts(response)
    assert first == (
        '<a href="[https://e.com/1]">1 < 2</a><a href="[https://e.com/none]">B</a>'
        "<a href='[https://e.com/vip?x=a+b]'>v</a>"
    )
    assert second == ""
    assert len({link["link"] for link in response["links"]}) == 2


def test_link_in_recipient_data_is_tracked_by_its_url(messages: MessageHarness):
    response = render_messages(
        messages, "<p>{{ block }}</p>", {"block": '<a href="https://e.com/x">x</a>'}
    )
    assert decode_texts(response) == ['<p><a href="[https://e.com/x]">x</a></p>']
    assert response["links"][0]["url"] == "https://e.com/x"


def test_captured_link_keeps_the_identity_of_the_template(messages: MessageHarness):
    html = (
        '{% capture b %}<a href="{{ u }}">x</a>{% cio_link url:{{ u }}/c %}{% endcapture %}{{ b }}'
    )
    response = render_messages(messages, html, {"u": "https://e.com/1"}, {"u": "https://e.com/2"})
    assert decode_texts(response)[1] == '<a href="[https://e.com/2]">x</a>[https://e.com/2/c]'
    assert [link["url"] for link in response["links"]] == ["{{ u }}", "{{ u }}/c"]


def test_data_that_closes_its_attribute_cannot_add_an_untracked_link(messages: MessageHarness):
    response = render_messages(
        messages, '<a href="https://e.com/{{ x }}">a</a>', {"x": '"><a href="https://evil.example/'}
    )
    assert decode_texts(response) == [
        '<a href="[https://e.com/]"><a href="[https://evil.example/]">a</a>'
    ]


def test_cio_link_in_recipient_data_is_not_interpreted(messages: MessageHarness):
    tag = "{% cio_link url:mailto:evil@example.com %}"
    assert decode_texts(render_messages(messages, "<p>{{ x }}</p>", {"x": tag})) == [
        f"<p>{tag}</p>"
    ]


def test_missing_variable_fails_only_its_recipient(messages: MessageHarness):
    response = render_messages(
        messages,
        "\n{{ customer.name }}",
        {"customer": {"name": "A"}},
        {},
        {"customer": {"name": "B"}},
    )
    assert [delivery["delivery"] for delivery in response["deliveries"]] == ["d0", "d2"]
    assert response["failed"] == [
        {
            "delivery": "d1",
            "field": "content.html",
            "reason": "customer.name is missing from the recipient's data (line 2)",
        }
    ]


@pytest.mark.parametrize("name", ["\ud800", "x" * 5000])
def test_failure_reason_is_short_and_encodable_for_any_data(messages: MessageHarness, name):
    html = "{{ customer[name] }}", "{% cio_link url:https://e.com track:{{ name }} %}"
    for template in html:
        [failure] = render_messages(messages, template, {"customer": {}, "name": name})["failed"]
        assert len(failure["reason"].encode()) < 300


def test_missing_variable_is_allowed_in_conditions_and_default(messages: MessageHarness):
    html = (
        "{% if a %}x{% else %}y{% endif %}{{ b | default: 'z' }}{% unless a.b.c %}w{% endunless %}"
    )
    assert decode_texts(render_messages(messages, html, {})) == ["yzw"]


@pytest.mark.parametrize(
    ("html", "reason"),
    [
        (
            "{% for a in (1..100) %}{% for b in (1..101) %}x{% endfor %}{% endfor %}",
            "loops 10,100 times; at most 10,000 are allowed (line 1)",
        ),
        (
            "{% for a in (1..9999) %}{{ big }}{% endfor %}",
            "renders to more than 2,097,152 characters (line 1)",
        ),
        (
            "{% assign s = big %}{% for i in (1..30) %}{% assign s = s | append: s %}{% endfor %}",
            "the filter append gives 2,560,000 characters; at most 2,097,152 are allowed (line 1)",
        ),
        ("{{ big | replace: 'x', big }}", "the filter replace gives 25,005,000 characters"),
        ("{{ many | join: big }}", "the filter join gives 25,005,000 characters"),
        ("{{ 1 | divided_by: 0 }}", "the filter divided_by rejects its value"),
        ("\n{{ 'u7u7' | base64_decode }}", "the filter base64_decode rejects its value"),
        ("{{ half | url_encode }}", "the filter url_encode rejects its value"),
        ("{{ 'nan' | ceil }}", "the filter ceil rejects its value"),
        ("{{ '' | uniq: 1 }}", "the filter uniq rejects its value or arguments (line 1)"),
        ("{% if object contains many %}x{% endif %}", "cannot be rendered"),
        (
            "{% assign n = 99999 %}{% for i in (1..30) %}{% assign n = n | times: n %}{% endfor %}",
            "the filter times gives a number of 5,120 digits; at most 4,200 are allowed (line 1)",
        ),
        ("{{ x | nope }}", "a filter that does not exist"),
        ("{{ half }}", "a lone surrogate"),
        ("{% include 'etc/passwd' %}", "cannot be rendered"),
        ("{% cio_link url:https://e.com track:{{ x }} %}", "not true or false"),
    ],
)
def test_rendering_failure_gives_a_reason_without_library_text(
    messages: MessageHarness, html, reason
):
    data: dict[str, object] = {"big": "x" * 5000, "many": ["a"] * 5000, "half": "\ud800"}
    data |= {"x": "maybe", "object": {"a": 1}}
    [failure] = render_messages(messages, html, data)["failed"]
    assert failure["field"] == "content.html"
    assert reason in failure["reason"]
    assert "liquid" not in failure["reason"].lower()


@pytest.mark.parametrize(
    "html",
    [
        "a\n{{ x",
        '<a href="{{"\0}}=">',  # from fuzzing
        "a\n{% if x",
        "a\n{% if x %}",
        "a\n{% raw %}x",
        "a\n{% comment %}x{% comment %}{% endcomment %}",
        "a\n{% nosuchtag %}",
        "a\n{{ x | }}",
        "a\n{% endif %}",
    ],
)
def test_invalid_liquid_is_refused_for_all_recipients(messages: MessageHarness, html):
    with pytest.raises(InvalidRequest, match=r"content\.html: .*Liquid"):
        render_messages(messages, html, {})


@pytest.mark.parametrize(
    "unit", ["{{", "{%", "{% raw %}", "{% comment %}", "{% if x %}", "{% cio_link", "{{%"]
)
def test_megabyte_of_unclosed_liquid_is_refused(unit):
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
def test_ordinary_template_has_static_links(html):
    assert LiquidTemplate(HTML_LINKS, html, "content.html").has_static_links


@pytest.mark.parametrize("html", ['<a href="">{{ x }}</a>', "<a href>{{ x }}</a>"])
def test_empty_href_is_found_in_a_template_with_static_links(html):
    template = LiquidTemplate(HTML_LINKS, html, "content.html")
    [link] = template.render({"x": "y"}, WorkBudget()).occurrences
    assert (template.has_static_links, link.href) == (True, "")


def test_text_template_links_are_identified_in_any_order():
    template = LiquidTemplate(TEXT_LINKS, "{{ u }} https://e.com/{{ v }} {{ w }}", "content.text")
    data = {"u": "https://e.com/1", "v": "2", "w": "https://e.com/3"}
    urls = [link.url for link in template.render(data, WorkBudget()).occurrences]
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
def test_template_whose_markup_depends_on_data_has_no_static_links(html):
    assert not LiquidTemplate(HTML_LINKS, html, "content.html").has_static_links


def test_variable_that_renders_to_a_url_is_identified_by_its_source():
    template = LiquidTemplate(
        TEXT_LINKS, "Go ({{ trigger.url }}?x=1). Bye {{ name }}", "content.text"
    )
    [link] = template.render(
        {"trigger": {"url": "https://e.com/1"}, "name": "Ada"}, WorkBudget()
    ).occurrences
    assert (link.href, link.url) == ("https://e.com/1?x=1", "{{ trigger.url }}?x=1")


@pytest.mark.parametrize("markup", [HTML_LINKS, TEXT_LINKS])
@pytest.mark.parametrize(
    "source", ['a {{- u -}}" b', "a {{- u -}} b", '"{{- u -}}" b', "a {{ u -}}\n{{- u }} b"]
)
def test_dashes_remove_the_same_whitespace_as_in_plain_liquid(markup: Markup, source: str):
    data = {"u": "https://e.com/"}
    expected = Environment().from_string(source).render(data)
    assert (
        LiquidTemplate(markup, source, "content.text").render(data, WorkBudget()).text == expected
    )


@pytest.mark.parametrize(
    "source", ["https://e.com/{% raw %} {% endraw %}", "{% raw %} {% endraw %}https://e.com/ x"]
)
def test_link_marks_never_appear_in_raw_text(source: str):
    expected = Environment().from_string(source).render()
    assert (
        LiquidTemplate(TEXT_LINKS, source, "content.text").render({}, WorkBudget()).text == expected
    )

"""A filter gives text or fails its recipient, whatever its value and arguments."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.rewrite_harness import RewriteHarness
from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import TEXT_LINKS
from waypost.rewrite.liquid.environment import MAX_OUTPUT_CHARACTERS, SETTINGS_ENVIRONMENT
from waypost.rewrite.liquid.filters import FILTERS
from waypost.rewrite.liquid.runtime import MAX_RENDER_STEPS, WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate

JsonValue = object

TEXTS: Final = st.one_of(
    st.sampled_from(
        [
            *("", " ", "a", "\ud800", "\udfff a", "\0", "é", "中", "😀", "²", "٣", "İ", "ß"),
            *(
                "1",
                "-1",
                "1.5",
                "1e999",
                "nan",
                "inf",
                "-inf",
                "0x10",
                "9" * 5_000,
                "1_0",
                "1e-400",
            ),
            *(
                "2026-11-21",
                "now",
                "10:00 BRST",
                "1.1.99999",
                "1:1:1:1",
                "+99:99",
                "%Y",
                "%",
                "%c%Q",
            ),
            *("<a ", "<script>", "<!--", "&#", "&#x110000;", "&amp", "<![", "'\"`\\", "\u2028"),
            *(
                "%",
                "%ZZ",
                "%00",
                "u7u7",
                "=",
                "====",
                "YQ==",
                "\r\n",
                "x" * 10_000,
                "a,b,c",
                "size",
            ),
            *(
                "{{ x }}",
                "{% raw %}",
                "b'bytes'",
                "[1]",
                "None",
                "True",
                "first",
                "last",
                "__class__",
            ),
        ]
    ),
    st.text(st.characters(), max_size=20),
    st.text(st.characters(categories=["Cs", "Nd", "Cc"]), max_size=8),
)
NUMBERS: Final = st.one_of(
    st.sampled_from([0, 1, -1, 2**31, 2**63, -(2**63), 10**18, 10**4_000, -(10**4_000)]),
    st.sampled_from([0.0, -0.0, 0.1, 1e308, 5e-324, float("inf"), float("-inf"), float("nan")]),
    st.integers(),
    st.floats(),
)
VALUES: Final = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(
            st.one_of(st.sampled_from(["a", "size", "first"]), TEXTS), inner, max_size=4
        ),
    ),
    max_leaves=12,
)
EXPRESSIONS: Final = st.sampled_from(
    [
        *("a", "b", "c", "missing", "a.b", "a[0]", "a[b]", "now", "forloop"),
        "(1..3)",
        "(a..b)",
        "(1..c)",
    ]
)
CALLS: Final = st.builds(
    lambda name, arguments, option: (
        f" | {name}: " + ", ".join([*arguments, *option]) if arguments or option else f" | {name}"
    ),
    st.sampled_from(sorted(FILTERS)),
    st.lists(EXPRESSIONS, max_size=3),
    st.sampled_from([[], [], [], ["allow_false: a"], ["environment: a"], ["x: b"]]),
)
DATA: Final = st.fixed_dictionaries({"a": VALUES, "b": VALUES, "c": VALUES})


def check_rendering(source: str, data: dict[str, JsonValue]) -> None:
    """Check that a template gives text, or an InvalidRequest with a short reason."""
    budget = WorkBudget()
    template = LiquidTemplate(TEXT_LINKS, source, "content.text")
    try:
        rendered = template.render(data, budget)
    except InvalidRequest as error:
        [problem] = error.problems
        assert problem.field == "content.text"
        assert len(problem.reason.encode()) < 500
        return
    assert len(rendered.text.encode()) <= 4 * MAX_OUTPUT_CHARACTERS
    assert budget.spent <= MAX_RENDER_STEPS


@pytest.mark.parametrize("name", FILTERS)
@settings(max_examples=settings().max_examples // 5)
@given(arguments=st.lists(st.sampled_from(["b", "c", "missing", "(1..c)"]), max_size=3), data=DATA)
def test_filter_gives_text_or_a_reason(name: str, arguments: list[str], data: dict[str, JsonValue]):
    call = f"{name}: {', '.join(arguments)}" if arguments else name
    check_rendering(f"{{{{ a | {call} }}}}", data)


@given(EXPRESSIONS, st.lists(CALLS, max_size=5), DATA)
@example("a", [" | date: b"], {"a": 1_790_000_000_000_000_000, "b": "%Y", "c": None})
@example("a", [" | strip_html"], {"a": "<![x>", "b": None, "c": None})
def test_chain_of_filters_gives_text_or_a_reason(
    value: str, calls: list[str], data: dict[str, JsonValue]
):
    check_rendering(f"{{{{ {value}{''.join(calls)} }}}}", data)


@given(
    st.sampled_from(
        [
            "{% if a == b %}x{% elsif a < c %}y{% endif %}",
            "{% if a contains b %}x{% endif %}{% unless c %}y{% endunless %}",
            "{% case a %}{% when b, c %}x{% when 'x' or nil %}y{% else %}z{% endcase %}",
            "{% for x in a limit: b offset: c %}{{ x }}{{ forloop.index }}{% else %}e{% endfor %}",
            "{% for x in (a..b) reversed %}{{ x | plus: c }}{% endfor %}",
            "{% tablerow x in a cols: b limit: c %}{{ x }}{% endtablerow %}",
            "{% for x in a %}{% if forloop == b %}x{% endif %}{{ forloop | json }}{% endfor %}",
            "{% for x in a %}{{ forloop | join: b }}{{ forloop.parentloop | sort }}{% endfor %}",
            "{% assign x = a | default: b %}{{ x }}{% capture y %}{{ c }}{% endcapture %}{{ y }}",
            "{% cycle a: b, c %}{% cycle b, c %}{% increment a %}{% decrement b %}",
            "{{ a[b] }}{{ a[b][c] }}{{ a.first.last.size }}{{ [a] }}",
            "{% ifchanged %}{{ a }}{% endifchanged %}{% echo b | upcase %}",
            "{% liquid assign z = a\n echo z\n if z == b\n echo c\n endif %}",
            "{% cio_link url:https://e.com/{{ a }} track:{{ b }} url_params:{{ c }} %}",
            "{% if a == blank or b == empty and c != nil %}x{% endif %}",
        ]
    ),
    DATA,
)
def test_tag_gives_text_or_a_reason(source: str, data: dict[str, JsonValue]):
    check_rendering(source, data)


@given(EXPRESSIONS, st.lists(CALLS, max_size=3), VALUES)
@example("a[b]", [], None)
def test_hostile_data_of_one_recipient_does_not_reach_the_others(
    value: str, calls: list[str], hostile: JsonValue
):
    harness = RewriteHarness()
    expression = f"{{{{ {value}{''.join(calls)} }}}}"
    harness.save_settings(url_params={"utm_term": expression, "plain": "{{ a }}"})
    good = {"a": "x", "b": 1, "c": "y"}
    answer = harness.rewrite(
        channel="email",
        content={"html": f'<a href="https://e.com/{{{{ a | url_encode }}}}">{expression}</a>'},
        liquid=True,
        recipients=[
            {"delivery": "first", "data": {"a": hostile, "b": hostile, "c": hostile}},
            *({"delivery": name, "person": "p", "data": good} for name in ("second", "third")),
        ],
    )
    outcomes = [each["delivery"] for each in (*answer["deliveries"], *answer["failed"])]
    assert sorted(outcomes) == ["first", "second", "third"]
    others = [each for each in answer["failed"] if each["delivery"] != "first"]
    assert len(others) in (0, 2)  # an expression that no data fits fails both


def test_settings_have_the_filters_of_messages() -> None:
    assert SETTINGS_ENVIRONMENT.filters.keys() == FILTERS.keys()

"""The work of one recipient's rendering is bounded, and so is its memory."""

from __future__ import annotations

import tracemalloc
from sys import getsizeof
from typing import Any, Final

import pytest

from tests.message_harness import MessageHarness
from waypost.errors import InvalidRequest
from waypost.rewrite.links.extractor import HTML_LINKS
from waypost.rewrite.liquid.runtime import MAX_RENDER_STEPS, WorkBudget
from waypost.rewrite.liquid.template import LiquidTemplate
from waypost.rewrite.service import RewriteResponse
from waypost.rewrite.url_parameters import UrlParameters

MAX_PEAK_BYTES: Final = 64 * 1024 * 1024
DATA: Final[dict[str, Any]] = {
    "big": "x" * 1_000_000,
    "big2": "x" * 999_999 + "y",
    "wide": "中" * 1_000_000,
    "items": ["x" * 10] * 100_000,
    "objects": [{"a": number, "b": "x" * 20} for number in range(10_000)],
    "nested": [[["a"] * 100] * 100] * 20,
    "nested2": [[["a"] * 100 for _ in range(100)] for _ in range(20)],
    "object": {str(number): number for number in range(10_000)},
    "spaces": " " * 1_000_000,
    "digits": 10**4_000,
}
TEST_STEPS: Final = 50_000
OVER_BUDGET: Final = "takes more than {:,} steps to render (line 1)".format
LOOP: Final = "{% for i in (1..10000) %}"
END: Final = "{% endfor %}"
ONES: Final = ",".join("1" * 2_000)
CASE: Final = f"{{% case 1 %}}{{% when {ONES} %}}"


def render(source: str, budget: WorkBudget | None = None) -> str:
    template = LiquidTemplate(HTML_LINKS, source, "content.html")
    return template.render(DATA, budget or WorkBudget()).text


def fail(source: str, budget: WorkBudget | None = None) -> str:
    """Render a template that fails, and return the reason."""
    with pytest.raises(InvalidRequest) as raised:
        render(source, budget)
    return raised.value.problems[0].reason


def measure_peak(source: str) -> int:
    """Return the most bytes that Python allocates to render a template, which may fail."""
    template = LiquidTemplate(HTML_LINKS, source, "content.html")
    tracemalloc.start()
    try:
        template.render(DATA, WorkBudget())
    except InvalidRequest:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize(
    "source",
    [
        (LOOP + END) * 40,
        LOOP + "{% if false %}" + "{% elsif false %}" * 1_000 + "{% endif %}" + END,
        CASE * 3 + "x" + "{% endcase %}" * 3,
        LOOP + "{% if big contains 'y' %}{% endif %}" + END,
        LOOP + "{% if '" + "a" * 100_000 + "' contains i %}{% endif %}" + END,
        LOOP + "{% if items contains big %}{% endif %}" + END,
        LOOP + "{% if big == big2 %}{% endif %}" + END,
        LOOP + "{% if big < big2 %}{% endif %}" + END,
        LOOP + "{% unless nested != nested2 %}{% endunless %}" + END,
        LOOP + "{% case nested %}{% when nested2 %}{% endcase %}" + END,
        LOOP + "{% if spaces == blank %}{% endif %}" + END,
        LOOP + "{% if object[big] %}{% endif %}" + END,
        LOOP + "{% for x in items offset: 99999 %}{% endfor %}" + END,
        LOOP + "{% for x in items reversed limit: 1 %}{% endfor %}" + END,
        LOOP + "{% assign x = big %}" + END,
        LOOP + "{% capture x %}{{ big }}{% endcapture %}" + END,
        LOOP + "{% capture x %}{% cio_link url:https://e.com/{{ big }} %}{% endcapture %}" + END,
        LOOP + "{% ifchanged %}{{ big }}{% endifchanged %}" + END,
        "{% capture x %}{% tablerow i in (1..10000) %}{% endtablerow %}{% endcapture %}" * 9,
        "{% cycle " + ", ".join(["big"] * 200) + " %}",
        *(
            LOOP + "{% assign x = " + expression + " %}" + END
            for expression in (
                "items | sort",
                "objects | sort_natural: 'b'",
                "objects | map: 'b'",
                "objects | where: 'b', big",
                "objects | sum: 'a'",
                "objects | uniq",
                "nested | first",
                "(1..10000) | reverse",
                "big | upcase",
                "spaces | squish",
                "big | remove_last: big2",
                "i | append: '.1.2020' | date: '%Y'",
                "big | slice: 0, 50000 | split: ''",
            )
        ),
    ],
    ids=lambda source: source[-120:],
)
def test_work_over_the_budget_fails_with_the_limit_and_the_line(source: str) -> None:
    assert fail(source, WorkBudget(TEST_STEPS)) == OVER_BUDGET(TEST_STEPS)


@pytest.mark.parametrize(
    "source",
    [
        "{{ (1..100000000) | join }}",
        "{% for i in (1..100000000) %}{% endfor %}",
        "{% for i in (1..100000000) reversed %}{% endfor %}",
        "{% for i in (1..100000000) limit: 1 offset: 99999999 %}{% endfor %}",
        "{% tablerow i in (1..100000000) %}{% endtablerow %}",
        "{% if (1..100000000) contains 'x' %}{% endif %}",
        "{% assign r = (1..100000000) %}{% if r contains 'x' %}{% endif %}",
        "{% assign r = (1..100000000) %}{{ r | sort }}",
        "{% cycle (1..100000000) %}",
    ],
)
def test_range_that_is_too_long_is_refused_without_building_it(source: str) -> None:
    reason = "has a range of 100,000,000 numbers; at most 10,000 are allowed (line 1)"
    assert fail(source) == reason
    assert measure_peak(source) < 1024 * 1024


def test_range_is_not_built_to_show_or_measure_it() -> None:
    source = "{% assign r = (1..100000000) %}{{ r }} {{ r.size }} {{ r.last }}"
    assert render(source) == "1..100000000 100000000 100000000"


@pytest.mark.parametrize(
    "source",
    [
        "{{ (1..10000) | join }}" * 100,
        "{% assign x = items %}" + LOOP + "{% assign x = x | concat: x %}" + END,
        "{% assign x = 'a' %}" + LOOP + "{% assign x = x | append: x %}" + END,
        "".join(
            f"{{% assign x{n} = wide | slice: 0, 50000 | split: '' %}}{{% assign y{n} = wide %}}"
            for n in range(100)
        ),
        "".join(f"{{% capture x{n} %}}{{{{ wide }}}}{{% endcapture %}}" for n in range(100)),
        LOOP + "{% cycle i, nested, object %}" + END,
        "{{ wide | url_encode }}",
        "{{ items | join: big }}",
        "{{ big | replace: 'x', big }}",
        "{{ wide | split: '' }}",
        "{{ 0 | date: big }}",
        "{{ object }}{{ nested }}{{ objects }}",
        "{% for x in nested %}{% for y in x %}{% for z in y %}{{ z }}{% endfor %}{% endfor %}"
        + END,
    ],
    ids=lambda source: source[:80],
)
def test_memory_of_a_rendering_is_bounded(source: str) -> None:
    assert measure_peak(source) < MAX_PEAK_BYTES


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            "".join(f"{{% assign x{n} = big | append: {n} %}}" for n in range(3)),
            (
                f"stores {3 * getsizeof('x' * 1_000_001):,} bytes in variables; "
                "at most 2,097,152 are allowed"
            ),
        ),
        ("{% for i in (1..101) %}{% for j in (1..100) %}{% endfor %}{% endfor %}", "loops 10,100"),
        ("{% for i in items %}{% endfor %}", "loops 100,000 times; at most 10,000 are allowed"),
        ("{% for i in items %}{% break %}{% endfor %}", "loops 100,000 times"),
        ("{% break %}", "cannot be rendered: break or continue outside of a loop"),
        ("{% if object contains items %}{% endif %}", "cannot be rendered: TypeError"),
    ],
)
def test_limit_is_named_with_the_value(source: str, reason: str) -> None:
    actual = fail(source)
    assert reason in actual
    assert "(line 1)" in actual


def test_line_of_a_loop_is_the_line_of_the_block_that_exceeds_the_budget() -> None:
    source = "\n{% if true %}\n" + LOOP + "{{ big | upcase | size }}" + END + "{% endif %}"
    assert fail(source).endswith("(line 3)")


def test_steps_count_only_the_branch_that_is_rendered() -> None:
    budgets = {}
    for branch in ("true", "false"):
        budgets[branch] = WorkBudget()
        render(f"{{% if {branch} %}}{'{{ digits }}' * 100}{{% endif %}}", budgets[branch])
    assert budgets["true"].spent > 200 > budgets["false"].spent


def test_ordinary_loop_takes_a_fraction_of_the_budget() -> None:
    budget = WorkBudget()
    body = "<p>{{ p.b | upcase }} {% if p.a > 3 %}{{ p.a | plus: 1 }}{% endif %}</p>"
    render("{% for p in objects limit: 500 %}" + body + "{% endfor %}", budget)
    assert budget.spent < MAX_RENDER_STEPS / 50


def test_texts_and_parameters_of_a_recipient_share_one_budget(messages: MessageHarness) -> None:
    work = "{{ big | size }}" * 60
    recipients = [{"delivery": "d", "data": {"big": DATA["big"]}}]

    def rewrite(**content: str) -> RewriteResponse:
        return messages.rewrite(content=content, liquid=True, recipients=recipients)

    assert not rewrite(html=work)["failed"]
    [failure] = rewrite(html=work, text=work)["failed"]
    assert failure["field"] == "content.text"
    assert failure["reason"] == OVER_BUDGET(MAX_RENDER_STEPS)
    messages.save_settings(url_params={"utm_term": work})
    [failure] = rewrite(html=work)["failed"]
    assert failure["field"] == "content.html"


def test_recipient_over_the_budget_does_not_fail_the_others(messages: MessageHarness) -> None:
    source = "{% for x in items %}{{ x | upcase | size }}{% endfor %}"
    recipients = [
        {"delivery": f"d{n}", "data": {"items": ["x" * size] * 100}}
        for n, size in enumerate((1, 400_000, 1))
    ]
    response = messages.rewrite(content={"html": source}, liquid=True, recipients=recipients)
    assert [each["delivery"] for each in response["deliveries"]] == ["d0", "d2"]
    assert response["failed"] == [
        {"delivery": "d1", "field": "content.html", "reason": OVER_BUDGET(MAX_RENDER_STEPS)}
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("{{ (1..100000000) | join }}", "has a range of 100,000,000 numbers"),
        ("{{ big | append: '' }}", "the filter append gives 1,000,000 characters; at most 65,536"),
        ("{{ big }}", "renders to more than 65,536 characters (line 1)"),
        (LOOP + "{{ big | size }}" + END, OVER_BUDGET(MAX_RENDER_STEPS)),
        (
            "{% assign x = big %}",
            f"stores {getsizeof('x' * 1_000_000):,} bytes in variables; at most 65,536",
        ),
    ],
)
def test_parameters_of_a_workspace_have_limits(value: str, reason: str) -> None:
    parameters = UrlParameters({"utm_source": value}, add_person_id=False)
    with pytest.raises(InvalidRequest) as raised:
        parameters.render(DATA, WorkBudget())
    [problem] = raised.value.problems
    assert problem.field == "url_params.utm_source"
    assert reason in problem.reason

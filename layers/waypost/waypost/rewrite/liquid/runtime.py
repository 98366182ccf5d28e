"""Render compiled Liquid within a budget of work.

A step is about a microsecond: a node or expression of a block that is rendered, a call of a filter,
or 100 characters that a filter, a comparison or a variable processes. Steps are counted and not
timed, so that a message renders on every machine or on none. python-liquid alone limits nested
loops and output; it neither counts loops after each other, nor filters, nor a ``case`` whose values
repeat.

``limit_template`` prepares a compiled template: it inserts a counter into each block, and measures
the values of comparisons, loops and ``cycle``. ``_LimitedContext`` counts the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any, Final, TextIO

from liquid import BoundTemplate, Node, RenderContext, Token
from liquid.ast import BlockNode
from liquid.builtin.expressions import LoopExpression, Path
from liquid.builtin.expressions.logical import (
    ContainsExpression,
    EqExpression,
    GeExpression,
    GtExpression,
    LeExpression,
    LtExpression,
    NeExpression,
)
from liquid.builtin.expressions.primitive import Empty, Literal, Nil, StringLiteral
from liquid.builtin.tags.case_tag import MultiExpressionBlockNode
from liquid.builtin.tags.cycle_tag import CycleNode
from liquid.exceptions import (
    ContextDepthError,
    LiquidError,
    LiquidInterrupt,
    OutputStreamLimitError,
    UndefinedError,
    UnknownFilterError,
)
from liquid.expression import Expression
from liquid.output import LimitedStringIO

from waypost.errors import InvalidRequest, Problem
from waypost.rewrite.liquid.filters import (
    CHARACTERS_PER_STEP,
    FILTERS,
    RenderFailure,
    check_range,
    measure_value,
)
from waypost.rewrite.liquid.link_marks import LinkTrackingBuffer, ValueGuards

MAX_RENDER_STEPS: Final = 1_000_000
"""Steps of rendering one recipient's message and parameters."""

_BLOCK_STEPS: Final = 3
"""Steps of a block besides those of its content: of an iteration, or of a row's markup."""

_COMPARISONS: Final = (
    EqExpression,
    NeExpression,
    LtExpression,
    LeExpression,
    GtExpression,
    GeExpression,
)
# Errors that the data of a recipient can cause; python-liquid does not convert all of Python's.
_DATA_ERRORS: Final = (RecursionError, ArithmeticError, LookupError, TypeError, ValueError)


@dataclass(slots=True)
class WorkBudget:
    """The steps of rendering one recipient's message and parameters."""

    limit: int = MAX_RENDER_STEPS
    spent: int = 0

    def spend(self, steps: int, token: Token | None = None) -> None:
        """Count steps. Raises RenderFailure if there are too many."""
        self.spent += steps
        if self.spent > self.limit:
            raise RenderFailure(f"takes more than {self.limit:,} steps to render", token=token)


def render_liquid(
    template: BoundTemplate, data: Mapping[str, object], field: str, budget: WorkBudget
) -> str:
    """Render a template with the data of one recipient.

    :raises InvalidRequest: with ``field`` and a reason that contains no text of a library.
    """
    buffer = LimitedStringIO(template.env.output_stream_limit or sys.maxsize)
    return _render(template, data, buffer, field, budget)


def render_tracked(
    template: BoundTemplate,
    data: Mapping[str, object],
    guards: ValueGuards,
    field: str,
    budget: WorkBudget,
) -> tuple[str, LinkTrackingBuffer]:
    """Render a template into a buffer that records its links; return the text and the buffer.

    :raises InvalidRequest: like ``render_liquid``.
    """
    buffer = LinkTrackingBuffer(template.env.output_stream_limit or sys.maxsize, guards)
    return _render(template, data, buffer, field, budget), buffer


def _render(
    template: BoundTemplate,
    data: Mapping[str, object],
    buffer: LimitedStringIO | LinkTrackingBuffer,
    field: str,
    budget: WorkBudget,
) -> str:
    context = _LimitedContext(template, data, budget)
    try:
        _render_nodes(template, context, buffer)
        text = buffer.getvalue()
        budget.spend(len(text) // CHARACTERS_PER_STEP)
    except InvalidRequest as error:
        problems = (Problem(field, problem.reason) for problem in error.problems)
        raise InvalidRequest(*problems) from None
    except LiquidError as error:
        reason = _describe_error(error, template) + describe_line(error)
        raise InvalidRequest.from_field(field, reason) from error
    _check_characters(text, field)
    return text


def _render_nodes(template: BoundTemplate, context: RenderContext, buffer: TextIO) -> None:
    """Render as ``BoundTemplate.render_with_context``, but convert Python's errors."""
    with context.extend(template.make_partial_namespace(partial=False, render_args={})):
        for node in template.nodes:
            try:
                node.render(context, buffer)
            except LiquidError as error:
                error.token = error.token or node.token
                raise
            except LiquidInterrupt as error:
                reason = "cannot be rendered: break or continue outside of a loop"
                raise RenderFailure(reason, token=node.token) from error
            except InvalidRequest:
                raise
            except _DATA_ERRORS as error:
                reason = f"cannot be rendered: {type(error).__name__}"
                raise RenderFailure(reason, token=node.token) from error


def _check_characters(text: str, field: str) -> None:
    """Refuse a lone surrogate: data may contain one, but no message can encode it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest.from_field(field, "renders to a lone surrogate") from None


def _describe_error(error: LiquidError, template: BoundTemplate) -> str:
    match error:
        case UndefinedError() | RenderFailure():
            return str(error.message)
        case OutputStreamLimitError():
            return f"renders to more than {template.env.output_stream_limit:,} characters"
        case ContextDepthError():
            return f"nests more than {template.env.context_depth_limit} deep"
        case UnknownFilterError():
            return "uses a filter that does not exist"
        case _:
            return "cannot be rendered"


def describe_line(error: LiquidError) -> str:
    """Describe the line of the template that an error is in; empty if it is not known."""
    token = error.token
    if token is None or token.start_index < 0:
        return ""
    return f" (line {token.source.count(chr(10), 0, token.start_index) + 1})"


class _LimitedContext(RenderContext):
    """The context of one rendering, which counts the work of filters, variables and loops."""

    __slots__ = ("_stored_bytes", "budget")

    def __init__(
        self, template: BoundTemplate, data: Mapping[str, object], budget: WorkBudget
    ) -> None:
        super().__init__(template, globals=template.make_globals(data))
        self.budget = budget
        self._stored_bytes = 0

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        limited_filter = FILTERS.get(name)
        if limited_filter is None:
            raise UnknownFilterError(name, token=token)
        return partial(limited_filter.call, self.env, self.budget.spend, token)

    def assign(self, key: str, val: Any) -> None:  # noqa: ANN401 - as in python-liquid
        """Set a variable. python-liquid would add up the sizes of all variables each time."""
        if isinstance(val, str):
            self.budget.spend(len(val) // CHARACTERS_PER_STEP)
        if key in self.locals:
            self._stored_bytes -= sys.getsizeof(self.locals[key], 1)
        self._store(val)
        self.locals[key] = val

    def cycle(self, key: object, length: int) -> int:
        if key not in self.tag_namespace["cycles"]:
            self._store(key)
        return super().cycle(key, length)

    def _store(self, value: object) -> None:
        self._stored_bytes += sys.getsizeof(value, 1)
        limit = self.env.local_namespace_limit
        if limit is not None and self._stored_bytes > limit:
            size = self._stored_bytes
            reason = f"stores {size:,} bytes in variables; at most {limit:,} are allowed"
            raise RenderFailure(reason, token=None)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Check the iterations of a loop, times those of the loops around it."""
        iterations = length * prod(loop.length for loop in self.loops)
        limit = self.env.loop_iteration_limit
        if limit is not None and iterations > limit:
            reason = f"loops {iterations:,} times; at most {limit:,} are allowed"
            raise RenderFailure(reason, token=None)

    def ifchanged(self, val: str) -> bool:
        self.budget.spend(len(val) // CHARACTERS_PER_STEP)
        return super().ifchanged(val)


class _StepCounter(Node):
    """Counts the steps of a block each time it is rendered."""

    __slots__ = ("_steps",)

    def __init__(self, token: Token, steps: int) -> None:
        super().__init__(token)
        self._steps = steps

    def render_to_output(self, context: RenderContext, _buffer: TextIO) -> int:
        if isinstance(context, _LimitedContext):
            context.budget.spend(self._steps, self.token)
        return 0


def limit_template(template: BoundTemplate) -> None:
    """Let each block of a compiled template count its steps, and comparisons their values."""
    if template.nodes:
        steps = _limit_nodes(template.nodes, RenderContext(template))
        template.nodes.insert(0, _StepCounter(template.nodes[0].token, steps))


def _limit_nodes(nodes: Iterable[Node], context: RenderContext) -> int:
    """Limit nodes, and return their steps without those of blocks in them, which count alone."""
    steps = 0
    for node in nodes:
        _measure_node_values(node)
        steps += 1 + _limit_expressions(node.expressions())
        for child in node.children(context, include_partials=False):
            if isinstance(child, BlockNode):
                block_steps = _BLOCK_STEPS + _limit_nodes(child.nodes, context)
                child.nodes.insert(0, _StepCounter(node.token, block_steps))
            else:
                steps += _limit_nodes([child], context)
    return steps


def _limit_expressions(expressions: Iterable[Expression]) -> int:
    """Measure the values that expressions compare or loop over; return their steps."""
    steps = 0
    pending = list(expressions)
    while pending:
        expression = pending.pop()
        steps += 1
        if isinstance(expression, StringLiteral):
            steps += len(expression.value) // CHARACTERS_PER_STEP
        _measure_expression_values(expression)
        pending += expression.children()
    return steps


def _measure_node_values(node: Node) -> None:
    if isinstance(node, CycleNode):
        node.group = node.group and _MeasuredExpression(node.group)
        node.args = [_MeasuredExpression(each) for each in node.args]
    elif isinstance(node, MultiExpressionBlockNode):
        values = node.expression
        if not all(map(_is_literal, values.expressions)):
            values.left = _MeasuredExpression(values.left)
            values.expressions = [_MeasuredExpression(each) for each in values.expressions]


def _measure_expression_values(expression: Expression) -> None:
    if isinstance(expression, LoopExpression):
        expression.iterable = _LoopSource(expression.iterable)
    elif isinstance(expression, Path):
        expression.path = [
            _MeasuredPath(each.token, each.path) if isinstance(each, Path) else each
            for each in expression.path
        ]
    elif isinstance(expression, ContainsExpression) or (
        isinstance(expression, _COMPARISONS)
        # To compare anything with a literal takes no longer than the literal, which counts already.
        and not (_is_literal(expression.left) or _is_literal(expression.right))
    ):
        expression.left = _MeasuredExpression(expression.left)
        expression.right = _MeasuredExpression(expression.right)


def _is_literal(expression: Expression) -> bool:
    return isinstance(expression, (Literal, Nil, Empty))


class _MeasuredExpression(Expression):
    """An expression whose value is compared or copied: its size counts as work."""

    __slots__ = ("_expression",)

    def __init__(self, expression: Expression) -> None:
        super().__init__(expression.token)
        self._expression = expression

    def __str__(self) -> str:
        return str(self._expression)

    def evaluate(self, context: RenderContext) -> object:
        value = self._expression.evaluate(context)
        _spend_on_value(value, context, self.token)
        return value

    def children(self) -> Iterable[Expression]:
        return (self._expression,)


class _MeasuredPath(Path):
    """A variable in the path of another: ``a[b]``. Its value becomes part of an error's text."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        value = super().evaluate(context)
        _spend_on_value(value, context, self.token)
        return value


class _LoopSource(_MeasuredExpression):
    """The list of a loop. ``offset`` steps over each of its items."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        value = self._expression.evaluate(context)
        if isinstance(value, range):
            check_range(value)
        elif isinstance(value, (list, tuple, dict)) and isinstance(context, _LimitedContext):
            context.budget.spend(len(value) // CHARACTERS_PER_STEP, self.token)
        return value


def _spend_on_value(value: object, context: RenderContext, token: Token) -> None:
    if isinstance(context, _LimitedContext):
        context.budget.spend(measure_value(value) // CHARACTERS_PER_STEP, token)

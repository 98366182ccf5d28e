"""Call filters within limits, and replace those of python-liquid that hostile values break.

Every call goes through ``LimitedFilter``. It counts the sizes of input and arguments as work,
checks the size of a result that can outgrow them before it is built, because afterwards the memory
is already used, and reports any error under the filter's name.

Whole numbers are bounded to the digits that Python prints, because repeated multiplication grows
them exponentially.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from functools import lru_cache
from itertools import chain
from typing import Any, Final

from dateutil import parser, tz
from liquid import Environment, Token
from liquid.exceptions import ResourceLimitError, UndefinedError
from liquid.filter import flatten
from liquid.stringify import to_liquid_string
from liquid.undefined import is_undefined

MAX_RANGE_LENGTH: Final = 10_000
"""Numbers of a range: (1..10000)."""
CHARACTERS_PER_STEP: Final = 100
"""Characters that count as one step of work."""
ITEM_SIZE: Final = 32
"""Characters that one item of a list or an object counts, besides its own, by time and memory."""
MAX_NUMBER_DIGITS: Final = 4_200
"""Digits of a whole number. Python prints at most 4,300 (sys.set_int_max_str_digits)."""

_DIGITS_PER_BIT: Final = 0.30103
_MAX_DATE_CHARACTERS: Final = 100
_DATE_STEPS: Final = 50
"""Steps of parsing one date, by its time: 60 µs."""
_MAX_FORMATTED_GROWTH: Final = 256
"""Python gives up formatting a date that is this many times as long as its format."""
_COMPARED_CHARACTERS_PER_STEP: Final = 2_000
_TAGS_PER_STEP: Final = 3
_MAX_SHOWN_NUMBER: Final = 10**15

LiquidFilter = Callable[..., Any]
Spend = Callable[[int], None]
"""Counts steps of work. Raises RenderFailure if they are too many."""


class RenderFailure(ResourceLimitError):
    """Raised if a template cannot be rendered. Its message is a reason without personal data."""


def measure_value(value: object) -> int:
    """Return the size of a value: characters or digits, and ``ITEM_SIZE`` for each item in it.

    :raises RenderFailure: if it contains a range that is too long.
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, (list, tuple, dict)):
        return _measure_items(value)
    if isinstance(value, int):
        return value.bit_length() // 3
    if isinstance(value, range):
        return check_range(value) * ITEM_SIZE
    return ITEM_SIZE


def _measure_items(collection: Any) -> int:  # noqa: ANN401 - any JSON
    size = 0
    pending = [collection]
    while pending:
        items = pending.pop()
        size += len(items) * ITEM_SIZE
        if isinstance(items, dict):
            size += sum(map(len, items))
            items = items.values()
        for item in items:
            if isinstance(item, str):
                size += len(item)
            elif isinstance(item, (list, tuple, dict)):
                pending.append(item)
    return size


def check_range(numbers: range) -> int:
    """Return the length of a range, without building it. Raises RenderFailure if it is too long."""
    length = max(0, numbers.stop - numbers.start)
    if length > MAX_RANGE_LENGTH:
        raise RenderFailure(
            f"has a range of {_format_count(length)} numbers; "
            f"at most {MAX_RANGE_LENGTH:,} are allowed",
            token=None,
        )
    return length


def _format_count(count: int) -> str:
    return f"{count:,}" if count < _MAX_SHOWN_NUMBER else f"over {_MAX_SHOWN_NUMBER:,}"


@dataclass(frozen=True, slots=True)
class LimitedFilter:
    """A filter with its limits.

    ``estimate_size`` estimates the size of a result that can outgrow input and arguments.
    ``count_extra_steps`` counts work that is not linear in the size.
    """

    name: str
    function: LiquidFilter
    needs_environment: bool
    estimate_size: Callable[..., int] | None
    count_extra_steps: Callable[..., int] | None

    def call(
        self,
        environment: Environment,
        spend: Spend,
        token: Token | None,
        value: object,
        /,
        *arguments: object,
        **options: object,
    ) -> object:
        """Call the filter. ``token`` locates it in the template.

        :raises LiquidError: with a token.
        """
        try:
            size = measure_value(value)
            for argument in arguments:
                size += measure_value(argument)
            steps = 1 + size // CHARACTERS_PER_STEP
            if self.count_extra_steps is not None:
                steps += self.count_extra_steps(value, *arguments)
            spend(steps)
            if self.estimate_size is not None:
                self._check_size(self.estimate_size(value, *arguments), environment)
            if self.needs_environment:
                result = self.function(value, *arguments, environment=environment, **options)
            else:
                result = self.function(value, *arguments, **options)
            if isinstance(result, str):
                if len(result) > CHARACTERS_PER_STEP:
                    self._check_size(len(result), environment)
                    spend(len(result) // CHARACTERS_PER_STEP)
            elif isinstance(result, int):
                self._check_digits(result)
        except (ResourceLimitError, UndefinedError) as error:
            error.token = error.token or token
            raise
        except Exception as error:
            # Values and arguments of any type can break a filter in any way.
            reason = f"cannot be rendered: the filter {self.name} rejects its value or arguments"
            raise RenderFailure(reason, token=token) from error
        return result

    def _check_size(self, size: int, environment: Environment) -> None:
        limit = environment.output_stream_limit
        if limit is not None and size > limit:
            raise RenderFailure(
                f"the filter {self.name} gives {_format_count(size)} characters; "
                f"at most {limit:,} are allowed",
                token=None,
            )

    def _check_digits(self, number: int) -> None:
        digits = int(number.bit_length() * _DIGITS_PER_BIT)
        if digits > MAX_NUMBER_DIGITS:
            raise RenderFailure(
                f"the filter {self.name} gives a number of {digits:,} digits; "
                f"at most {MAX_NUMBER_DIGITS:,} are allowed",
                token=None,
            )


def format_liquid_date(value: object, date_format: object) -> object:
    """Format a date as Shopify's Liquid does: a value that is no date is returned unchanged.

    Dates are ``now``, ``today``, texts, and seconds since 1970 up to the year 9999. Larger numbers,
    as of milliseconds, are no dates.
    """
    moment = _parse_date(value)
    text = to_liquid_string(date_format, autoescape=False)
    return value if moment is None or not text else moment.strftime(text)


def _parse_date(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time_of_day.min)
    if isinstance(value, int) and not isinstance(value, bool):
        return _parse_timestamp(value)
    if not isinstance(value, str) or len(value) > _MAX_DATE_CHARACTERS:
        return None
    if value.lower() in ("now", "today"):
        return datetime.now()  # noqa: DTZ005 - the time zone of the process, as in python-liquid
    if value.isascii() and value.isdigit():
        return _parse_timestamp(int(value))
    return _parse_date_text(value, date.today())  # noqa: DTZ011 - likewise


def _parse_timestamp(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds)  # noqa: DTZ006 - likewise
    except (ValueError, OverflowError, OSError):
        return None


# The loops of a template often format one date several times.
@lru_cache(maxsize=64)
def _parse_date_text(text: str, today: date) -> datetime | None:
    """Parse a date; parts that the text lacks are those of ``today``."""
    try:
        moment: datetime = parser.parse(
            text, default=datetime.combine(today, time_of_day.min), tzinfos=_build_time_zone
        )
        moment.utcoffset()  # raises for a time zone of more than a day
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError):
        return None
    return moment


def _build_time_zone(name: str | None, offset: int | None) -> tz.tzoffset | None:
    """Build a time zone with a known offset; a mere name is ignored, without dateutil's warning."""
    if offset is None and name in time.tzname:
        return tz.tzlocal()
    return None if offset is None else tz.tzoffset(name, offset)


_MARKUP_BLOCK = re.compile(r"<(?:(script)|(style)|(!--))", re.IGNORECASE)
_BLOCK_ENDS: Final = (
    re.compile(r"</script>", re.IGNORECASE),
    re.compile(r"</style>", re.IGNORECASE),
    re.compile(r"-->"),
)
_MARKUP_TAG = re.compile(r"<[^>]*>?")


def strip_html(value: object) -> str:
    """Remove tags, comments, scripts and styles as Shopify's Liquid does, in linear time."""
    text = _remove_blocks(_to_text(value))
    end = text.rfind(">") + 1  # up to here, every "<" has a ">" behind it
    return _MARKUP_TAG.sub("", text[:end]) + text[end:]


def _remove_blocks(text: str) -> str:
    pieces: list[str] = []
    position = 0
    unclosed: set[int] = set()
    for opening in _MARKUP_BLOCK.finditer(text):
        kind = opening.lastindex or 0
        if opening.start() < position or kind in unclosed:
            continue
        end = _BLOCK_ENDS[kind - 1].search(text, opening.end())
        if end is None:
            unclosed.add(kind)
            continue
        pieces.append(text[position : opening.start()])
        position = end.end()
    return "".join(pieces) + text[position:]


def _to_text(value: object) -> str:
    """Convert a value as python-liquid's string filters do."""
    return "" if value is None else str(value)


_WHITE_SPACE = re.compile(r"\s+")


def _estimate_replace(value: object, old: object = "", new: object = "", *_: object) -> int:
    text = _to_text(value)
    return len(text) + text.count(str(old)) * len(str(new))


def _estimate_concat(value: object, other: object = "", *_: object) -> int:
    return measure_value(value) + measure_value(other)


def _estimate_join(value: object, separator: object = " ", *_: object) -> int:
    items = flatten(value) if isinstance(value, (list, tuple)) else [value]
    if isinstance(value, range):
        return len(value) * (ITEM_SIZE + len(str(separator)))
    return measure_value(value) - len(items) * ITEM_SIZE + len(items) * len(str(separator))


def _estimate_split(value: object, separator: object = "", *_: object) -> int:
    text = _to_text(value)
    if is_undefined(separator) or separator is None or separator == "":
        return len(text) * ITEM_SIZE
    if separator == " ":  # any white space
        return len(text) + sum(1 for _ in _WHITE_SPACE.finditer(text)) * ITEM_SIZE
    return len(text) + text.count(str(separator)) * ITEM_SIZE


def _estimate_date(_: object, date_format: object = "", *__: object) -> int:
    return len(str(date_format)) * _MAX_FORMATTED_GROWTH


_SIZE_ESTIMATES: Final[Mapping[str, Callable[..., int]]] = {
    "replace": _estimate_replace,
    "append": _estimate_concat,
    "prepend": _estimate_concat,
    "concat": _estimate_concat,
    "join": _estimate_join,
    "split": _estimate_split,
    "date": _estimate_date,
}


def _count_comparisons(value: object, *_: object) -> int:
    """Count steps of comparing each item with each other one."""
    items = flatten(value) if isinstance(value, (list, tuple)) else ()
    return len(items) * measure_value(value) // _COMPARED_CHARACTERS_PER_STEP


def _count_reverse_search(value: object, text: object = "", *_: object) -> int:
    """Count steps of a search from the end, which compares the text at each position."""
    return len(_to_text(value)) * len(str(text)) // _COMPARED_CHARACTERS_PER_STEP


def _count_tags(value: object, *_: object) -> int:
    return _to_text(value).count("<") // _TAGS_PER_STEP


_EXTRA_STEPS: Final[Mapping[str, Callable[..., int]]] = {
    "uniq": _count_comparisons,
    "remove_last": _count_reverse_search,
    "replace_last": _count_reverse_search,
    "strip_html": _count_tags,
    "date": lambda *_: _DATE_STEPS,
}

_REPLACEMENTS: Final[Mapping[str, LiquidFilter]] = {
    "date": format_liquid_date,
    "strip_html": strip_html,
}


def _build_filters() -> dict[str, LimitedFilter]:
    functions = chain(Environment().filters.items(), _REPLACEMENTS.items())
    return {
        name: LimitedFilter(
            name=name,
            function=function,
            needs_environment=getattr(function, "with_environment", False),
            estimate_size=_SIZE_ESTIMATES.get(name),
            count_extra_steps=_EXTRA_STEPS.get(name),
        )
        for name, function in functions
    }


FILTERS: Final[Mapping[str, LimitedFilter]] = _build_filters()
"""All filters of templates and settings, by name."""

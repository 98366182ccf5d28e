"""Tokens of a template.

Python 3.11.2 matches possessive quantifiers incorrectly (python/cpython issues 100061 and 106052),
so no rule may use them.
"""

from __future__ import annotations

import pytest
from liquid import Environment

from waypost.rewrite.liquid.environment import TemplateEnvironment


@pytest.mark.parametrize("source", ["{{ a -}} b\n", "{{ a -}}\n\n", "Hi { {{ a }}, {b}\n\n"])
def test_tokens_equal_those_of_the_library(source):
    tokens = list(TemplateEnvironment().tokenizer()(source))
    assert tokens == list(Environment().tokenizer()(source))

"""How a template is cut into tokens: by python-liquid's own lexer, its static text read in runs.

The library's rule for text between Liquid looks at every single character whether Liquid begins
there, which is most of what compiling an e-mail takes. The same rule is written here so that it
passes over what cannot begin any; every token stays what it was, to the offset. Where the library
words its rule otherwise one day, its own is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from liquid import Token
from liquid.lex import _tokenize_template, compile_liquid_rules

_UP_TO_LIQUID = r"(?=((\{%|\{\{)(?P<rstrip>-?))|$)"
THEIRS: Final = ".+?" + _UP_TO_LIQUID
"""The library's rule. Its ``$`` matches before a newline at the very end, too."""
OURS: Final = r".(?>(?:[^{\n]+|\n(?!\Z)|\{(?![{%]))*)" + _UP_TO_LIQUID


def tokenizer() -> Callable[[str], Iterator[Token]]:
    """What ``liquid.Environment.tokenizer`` gives."""
    theirs = compile_liquid_rules()
    ours = re.compile(theirs.pattern.replace(THEIRS, OURS), theirs.flags)
    return partial(_tokenize_template, rules=ours)

"""Python 3.11.2 matches possessive groups wrongly: templates must not depend on them."""

from __future__ import annotations

import pytest
from liquid import Environment

from waypost.rewrite.links.channels import extract_texts
from waypost.rewrite.links.extractor import TEXT_TAGS
from waypost.rewrite.liquid.environment import TemplateEnvironment


@pytest.mark.parametrize("source", ["{{ a -}} b\n", "{{ a -}}\n\n", "Hi { {{ a }}, {b}\n\n"])
def test_a_template_keeps_all_text(source):
    tokens = list(TemplateEnvironment().tokenizer()(source))
    assert tokens == list(Environment().tokenizer()(source))


@pytest.mark.parametrize("body", ["{{{", "{{["])
def test_an_open_output_does_not_begin_json(body):
    (text,) = extract_texts("webhook", {"body": body})
    assert text.markup is TEXT_TAGS

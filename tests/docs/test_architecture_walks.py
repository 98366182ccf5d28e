"""The walks of docs/architecture.md name modules and functions that there are."""

from __future__ import annotations

import re

import pytest

from tools.docs.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = PAGE.partition("## Four walks\n")[2].partition("\n## ")[0]
NAMES = sorted(set(re.findall(r"`([a-z_/]+(?:\.[a-z_]+)*)`", WALKS)) - {"validation"})


def test_each_walk_has_five_steps():
    assert re.findall(r"^(\d)\. ", WALKS, re.MULTILINE) == list("12345") * 4


@pytest.mark.parametrize("name", NAMES)
def test_what_a_walk_names_is_there(name):
    if name.startswith("functions/"):
        assert (ROOT / name / "app.py").exists()
    else:
        path = ROOT / "layers/waypost/waypost" / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__init__.py").exists()

"""docs/settings.md has every setting, with the default and the choices that the API knows."""

from __future__ import annotations

import json
import re
import typing

import pytest

from tools.docs.pages import ROOT
from waypost.api.workspace_settings import SettingsChange

PAGE = (ROOT / "docs" / "settings.md").read_text("utf-8")
ROWS = {
    name: (values, default)
    for name, values, default in re.findall(
        r"^\| `(\w+)` \| (.+?) \| `(.+?)` \|", PAGE, re.MULTILINE
    )
}


def test_every_setting_is_there_with_its_default():
    defaults = SettingsChange().model_dump()
    assert {name: json.loads(default) for name, (_, default) in ROWS.items()} == defaults


@pytest.mark.parametrize("name", ["ip", "secret_links", "events"])
def test_choices_are_those_of_the_api(name):
    choices = typing.get_args(SettingsChange.model_fields[name].annotation)
    assert re.findall(r'"(\w+)"', ROWS[name][0]) == list(choices)

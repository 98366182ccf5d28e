"""The paths of tokens match the template's routes."""

from __future__ import annotations

import re

import pytest

from local.stack import TEMPLATE
from waypost.tokens import APP_PATH, CLICK_PATH, PIXEL_PATH
from waypost.tokens.repair import extract_token, is_pixel_path

ROUTES = set(re.findall(r"Path: (/\S+)", TEMPLATE.read_text("utf-8")))


@pytest.mark.parametrize("path", [CLICK_PATH, PIXEL_PATH, APP_PATH + CLICK_PATH])
def test_token_path_has_a_route_and_is_read_with_an_encoded_slash(path):
    assert f"{path}{{payload}}/{{signature}}" in ROUTES
    assert extract_token(f"{path}payload%2Fsignature") == "payload/signature"
    assert is_pixel_path(path + "payload/signature") is (path == PIXEL_PATH)


@pytest.mark.parametrize("path", ["/e/x/", "/apps/e/c/", "/e/c", "/s/", "/app/app/e/c/"])
def test_other_paths_contain_no_token(path):
    assert extract_token(path + "payload/signature") == ""
    assert not is_pixel_path(path + "payload/signature")

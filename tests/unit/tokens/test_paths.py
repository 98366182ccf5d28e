"""Tokens stand where the template's routes look for them."""

from __future__ import annotations

import re

import pytest

from local.stack import TEMPLATE
from waypost.tokens import APP, CLICKS, PIXELS
from waypost.tokens.repair import asks_for_pixel, rest_of_path

ROUTES = set(re.findall(r"Path: (/\S+)", TEMPLATE.read_text("utf-8")))


@pytest.mark.parametrize("path", [CLICKS, PIXELS, APP + CLICKS])
def test_a_path_of_tokens_has_a_route_and_is_read_where_a_slash_was_encoded(path):
    assert f"{path}{{payload}}/{{signature}}" in ROUTES
    assert rest_of_path(f"{path}payload%2Fsignature") == "payload/signature"
    assert asks_for_pixel(path + "payload/signature") is (path == PIXELS)


@pytest.mark.parametrize("path", ["/e/x/", "/apps/e/c/", "/e/c", "/s/", "/app/app/e/c/"])
def test_no_other_path_holds_a_token(path):
    assert rest_of_path(path + "payload/signature") == ""
    assert not asks_for_pixel(path + "payload/signature")

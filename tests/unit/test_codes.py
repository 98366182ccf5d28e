from waypost.ids import campaign_code, campaign_of, link_code, workspace_code, workspace_of


def test_a_links_code_tells_its_campaign_and_workspace() -> None:
    campaign = campaign_code("acme", "spring-sale")
    link = link_code(campaign, "https://example.com/")
    assert campaign_of(link) == campaign
    assert workspace_of(link) == workspace_of(campaign) == workspace_code("acme")


def test_codes_never_change() -> None:
    campaign = campaign_code("acme", "spring-sale")
    assert campaign == "24aba7554cf258e5cc"
    assert link_code(campaign, "https://example.com/") == "24aba7554cf258e5cc65b378ab"


def test_every_attempt_is_another_code_of_the_same_campaign() -> None:
    campaign = campaign_code("acme", "spring-sale")
    codes = {link_code(campaign, "tag", attempt) for attempt in range(100)}
    assert len(codes) == 100
    assert {campaign_of(code) for code in codes} == {campaign}


def test_the_same_campaign_name_in_two_workspaces_is_two_campaigns() -> None:
    assert campaign_code("acme", "welcome") != campaign_code("globex", "welcome")

from waypost.ids import (
    derive_campaign_id,
    derive_link_id,
    derive_workspace_id,
    extract_campaign_id,
    extract_workspace_id,
)


def test_link_id_contains_campaign_and_workspace() -> None:
    campaign = derive_campaign_id("acme", "spring-sale")
    link = derive_link_id(campaign, "https://example.com/")
    assert extract_campaign_id(link) == campaign
    assert (
        extract_workspace_id(link) == extract_workspace_id(campaign) == derive_workspace_id("acme")
    )


def test_ids_never_change() -> None:
    campaign = derive_campaign_id("acme", "spring-sale")
    assert campaign == "24aba7554cf258e5cc"
    assert derive_link_id(campaign, "https://example.com/") == "24aba7554cf258e5cc65b378ab"


def test_each_attempt_is_another_id_of_the_same_campaign() -> None:
    campaign = derive_campaign_id("acme", "spring-sale")
    codes = {derive_link_id(campaign, "tag", attempt) for attempt in range(100)}
    assert len(codes) == 100
    assert {extract_campaign_id(code) for code in codes} == {campaign}


def test_same_campaign_name_in_two_workspaces_has_two_ids() -> None:
    assert derive_campaign_id("acme", "welcome") != derive_campaign_id("globex", "welcome")

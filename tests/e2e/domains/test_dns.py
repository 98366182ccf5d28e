"""DNS checks of hosts, over real DNS servers."""

import itertools
import json
from dataclasses import asdict
from itertools import pairwise

import pytest

from tests.e2e.domains.conftest import (
    DEFAULT_HOST,
    EDGE_ADDRESS,
    ENDPOINT,
    HOST,
    PROOF,
    PROXY_ADDRESS,
    DomainFixture,
)
from tests.e2e.domains.internet import build_response
from waypost.domains.checker import DNS_CHECK_SECONDS
from waypost.domains.dns import MAX_CNAME_HOPS, check_caa
from waypost.models.domain_check import DnsResult


def check_dns(world: DomainFixture) -> DnsResult:
    return world.checker.check_dns(HOST, PROOF, (DEFAULT_HOST, ENDPOINT))


def test_expected_cname_is_correct_and_settled(world: DomainFixture) -> None:
    world.add_cname()
    assert check_dns(world) == DnsResult(
        "cname", (HOST, DEFAULT_HOST), (EDGE_ADDRESS,), settled=True
    )


def test_cname_chain_that_ends_at_the_cdn_is_correct(world: DomainFixture) -> None:
    world.add_cname()
    world.dns.add_record(HOST, "CNAME", "links.acme-cdn.example")
    world.dns.add_record("links.acme-cdn.example", "CNAME", ENDPOINT)
    result = check_dns(world)
    assert (result.verdict, result.chain) == ("cname", (HOST, "links.acme-cdn.example", ENDPOINT))


def test_host_too_long_for_a_proof_record_is_still_checked(
    world: DomainFixture,
) -> None:
    host = ".".join(["a" * 59, "b", *["c" * 60] * 3, "acme.com"])
    assert len(host) > 253 - len("_waypost.")
    world.dns.add_record(host, "A", PROXY_ADDRESS)
    result = world.check_host(host).dns
    assert (result.verdict, result.addresses, result.proof) == (
        "elsewhere",
        (PROXY_ADDRESS,),
        False,
    )


def test_dns_check_of_a_deep_host_on_slow_name_servers_is_limited(world: DomainFixture) -> None:
    """Each answer meets the timeout of one query; the whole check has a timeout too."""
    host = ".".join([*"abcdefghijklmnopqrstuvwxyz", "acme.com"])
    world.dns.add_record(host, "CNAME", DEFAULT_HOST)
    seconds = itertools.count()
    world.resolver.clock = lambda: float(next(seconds))
    result = world.check_host(host)
    assert (result.dns.verdict, result.caa.allows) == ("cname", "unknown")
    queries = [
        record_type for _, record_type in world.dns.queries if record_type != "SOA"
    ]  # zone lookups have a timeout apart
    assert len(queries) <= DNS_CHECK_SECONDS


def test_stored_check_result_is_small_for_huge_dns_and_http_answers(
    world: DomainFixture,
) -> None:
    """Each message reads the domains, and a DynamoDB item holds at most 400 KB."""
    many = [f"93.184.{n // 250}.{1 + n % 250}" for n in range(300)]
    world.dns.add_record(HOST, "A", *many, PROXY_ADDRESS)
    world.dns.add_record("acme.com", "CAA", *(f'0 issue "ca{n}.example"' for n in range(300)))
    world.dns.add_record(f"_waypost.{HOST}", "TXT", f'"waypost={PROOF}"')
    policy = "max-age=60; " + "x" * 20_000
    world.internet.serve(
        many[0], 80, lambda _: build_response("403 Forbidden", Server="CloudFront")
    )
    world.internet.serve(
        many[0],
        443,
        lambda _: build_response("200 OK", Strict_Transport_Security=policy),
        world.issue_certificate(HOST),
    )
    result = world.check_host()
    assert (result.hsts.source, result.caa.allows) == ("own", "no")
    assert len(json.dumps(asdict(result))) < 2_000


def test_only_a_few_of_many_cnames_are_shown(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", *(f"{n}.example" for n in range(200)))
    result = check_dns(world)
    assert result.verdict == "conflict"
    assert len(result.chain) < 10


def test_host_without_a_dns_record_is_missing(world: DomainFixture) -> None:
    assert check_dns(world).verdict == "missing"


def test_host_with_records_but_no_address_is_missing(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "TXT", '"hello"')
    assert check_dns(world).verdict == "missing"


def test_cname_to_a_nonexistent_name_is_missing(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", "gone.example")
    assert check_dns(world) == DnsResult("missing", (HOST, "gone.example"))


def test_cname_to_another_target_is_shown_with_its_addresses(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", "sites.parking.example")
    world.dns.add_record("sites.parking.example", "A", PROXY_ADDRESS)
    result = check_dns(world)
    assert result.verdict == "elsewhere"
    assert result.chain == (HOST, "sites.parking.example")
    assert result.addresses == (PROXY_ADDRESS,)


def test_circular_cnames_are_a_loop(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", "a.acme.com")
    world.dns.add_record("a.acme.com", "CNAME", "b.acme.com")
    world.dns.add_record("b.acme.com", "CNAME", "a.acme.com")
    assert check_dns(world) == DnsResult("loop", (HOST, "a.acme.com", "b.acme.com", "a.acme.com"))


def test_cname_to_itself_is_a_loop(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", HOST)
    assert check_dns(world).verdict == "loop"


def test_cname_chain_above_the_hop_limit_is_too_long(world: DomainFixture) -> None:
    names = [HOST, *(f"hop{i}.acme.com" for i in range(MAX_CNAME_HOPS))]
    for name, target in pairwise(names):
        world.dns.add_record(name, "CNAME", target)
    world.dns.add_record(names[-1], "CNAME", DEFAULT_HOST)
    assert check_dns(world).verdict == "too_long"


def test_several_cnames_at_one_name_are_a_conflict(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", DEFAULT_HOST, "sites.parking.example")
    assert check_dns(world).verdict == "conflict"


def test_flattened_record_needs_the_proof_record(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "A", EDGE_ADDRESS)
    assert check_dns(world).verdict == "elsewhere"
    world.dns.add_record(f"_waypost.{HOST}", "TXT", '"v=spf1 -all"', f'"waypost={PROOF}"')
    result = check_dns(world)
    assert (result.verdict, result.proof) == ("flattened", True)


def test_proof_record_is_seen_beside_the_expected_cname(world: DomainFixture) -> None:
    world.add_cname()
    assert not check_dns(world).proof
    world.dns.add_record(f"_waypost.{HOST}", "TXT", f'"waypost={PROOF}"')
    assert check_dns(world).proof


def test_proof_of_another_domain_is_not_accepted(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "A", EDGE_ADDRESS)
    world.dns.add_record(f"_waypost.{HOST}", "TXT", '"waypost=beef"')
    assert check_dns(world).verdict == "elsewhere"


def test_other_addresses_with_the_proof_record_are_a_proxy(world: DomainFixture) -> None:
    world.add_proxy_records()
    assert check_dns(world).verdict == "proxied"


def test_wildcard_address_record_is_reported(world: DomainFixture) -> None:
    world.dns.add_record("*.acme.com", "A", PROXY_ADDRESS)
    result = check_dns(world)
    assert (result.verdict, result.wildcard) == ("elsewhere", True)


def test_wildcard_cname_is_reported(world: DomainFixture) -> None:
    world.dns.add_record("*.acme.com", "CNAME", "sites.parking.example")
    world.dns.add_record("sites.parking.example", "A", PROXY_ADDRESS)
    assert check_dns(world).wildcard


def test_exact_record_is_not_reported_as_a_wildcard(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "A", PROXY_ADDRESS)
    assert not check_dns(world).wildcard


def test_wildcard_cname_to_the_default_host_is_correct(world: DomainFixture) -> None:
    world.dns.add_record("*.acme.com", "CNAME", DEFAULT_HOST)
    assert check_dns(world).verdict == "cname"


def test_slow_name_server_is_a_timeout_and_not_a_missing_record(
    world: DomainFixture,
) -> None:
    world.dns.delays[HOST] = 2
    assert check_dns(world).verdict == "timeout"


def test_failing_name_server_is_a_failure_and_not_a_missing_record(world: DomainFixture) -> None:
    world.dns.failing_names.add(HOST)
    assert check_dns(world).verdict == "failed"


def test_slow_name_further_down_the_cname_chain_is_a_timeout(world: DomainFixture) -> None:
    world.dns.add_record(HOST, "CNAME", "cdn.acme.com")
    world.dns.delays["cdn.acme.com"] = 2
    assert check_dns(world).verdict == "timeout"


def test_dns_is_unsettled_while_one_name_server_has_another_answer(
    world: DomainFixture,
) -> None:
    world.add_cname()
    world.nameservers[1].add_record(HOST, "CNAME", "old.acme.com")
    assert not check_dns(world).settled
    world.nameservers[1].add_record(HOST, "CNAME", DEFAULT_HOST)
    assert check_dns(world).settled


def test_dns_is_unsettled_while_one_name_server_lacks_the_record(world: DomainFixture) -> None:
    world.add_cname()
    del world.nameservers[0].records[HOST, "CNAME"]
    assert not check_dns(world).settled


def test_dns_is_settled_although_one_name_server_is_down(world: DomainFixture) -> None:
    world.add_cname()
    world.nameservers[0].delays[HOST] = 2
    assert check_dns(world).settled


def test_name_servers_at_private_addresses_are_not_queried(world: DomainFixture) -> None:
    world.add_cname()
    world.dns.add_record("ns0.acme.com", "A", "10.0.0.53")
    world.dns.add_record("ns1.acme.com", "A", "169.254.169.253")
    assert world.resolver.lookup_authoritative(HOST, "CNAME") == []


@pytest.mark.parametrize(
    ("name", "records", "allows"),
    [
        (HOST, [], "yes"),
        (HOST, ['0 issue "amazon.com"'], "yes"),
        (HOST, ['0 issue "letsencrypt.org"', '0 issue "amazontrust.com; policy=x"'], "yes"),
        (HOST, ['0 issue "letsencrypt.org"'], "no"),
        (HOST, ['0 issue ";"'], "no"),
        ("acme.com", ['0 issue "letsencrypt.org"'], "no"),
        ("acme.com", ['0 issuewild "letsencrypt.org"'], "yes"),
        ("acme.com", ['0 iodef "mailto:security@acme.com"'], "yes"),
    ],
)
def test_caa_records_decide_whether_amazon_may_issue(
    world: DomainFixture, name: str, records: list[str], allows: str
) -> None:
    world.dns.add_record(name, "CAA", *records)
    world.dns.add_record(HOST, "A", EDGE_ADDRESS)
    assert check_caa(world.resolver, HOST).allows == allows


def test_nearest_caa_records_win(world: DomainFixture) -> None:
    world.dns.add_record("acme.com", "CAA", '0 issue "letsencrypt.org"')
    world.dns.add_record(HOST, "CAA", '0 issue "amazon.com"')
    result = check_caa(world.resolver, HOST)
    assert (result.allows, result.name) == ("yes", HOST)


def test_caa_is_unknown_when_the_name_server_fails(world: DomainFixture) -> None:
    world.dns.failing_names.add("acme.com")
    world.dns.add_record(HOST, "A", EDGE_ADDRESS)
    assert check_caa(world.resolver, HOST).allows == "unknown"

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from identity.errors import PolicyError
from identity.identifier import Identifier
from identity.namespace import Strength
from identity.normalise import normalise_identifier
from identity.policy import Policy
from identity.shipped import SHIPPED

CONF = Path(__file__).parents[2] / "conf" / "identity.yaml"


def test_the_shipped_file_says_what_the_code_ships(shipped: Policy) -> None:
    assert Policy.load(CONF) == shipped
    assert Policy.load(CONF).digest() == shipped.digest()


def test_missing_keys_take_the_shipped_values_also_inside_a_key(policy: Callable[..., Policy]) -> None:
    given = policy(hub={"max_total": 30}, reject={"values": ["x"]})
    assert (given.hub.max_accounts, given.hub.max_total) == (10, 30)
    assert given.reject.values == {"x"}
    assert given.reject_by_namespace["phone"].digit_runs
    assert given.size_cap == 200


def test_given_namespaces_are_the_whole_list_with_the_hashed_forms_of_a_phone(policy: Callable[..., Policy]) -> None:
    given = policy(namespaces={"member_id": {}, "phone": {"roles": {"owner": "link"}}})
    assert set(given.namespaces) == {"member_id", "phone", "phone_sha256", "phone_md5", "tmall_mix_mobile"}
    assert given.namespaces["phone_md5"].roles == {"owner": "link"}


def test_a_shipped_namespace_keeps_its_shipped_values_where_nothing_is_said(policy: Callable[..., Policy]) -> None:
    spec = policy(namespaces={"member_id": {"priority": 7}}).namespaces["member_id"]
    assert (spec.strength, spec.scoped, spec.max_per_person, spec.priority) == (Strength.ANCHOR, True, 1, 7)


def test_an_anchor_has_a_limit_unless_it_is_lifted(policy: Callable[..., Policy]) -> None:
    given = policy(namespaces={"crm": {"strength": "anchor"}, "free": {"strength": "anchor", "max_per_person": None}})
    assert given.namespaces["crm"].max_per_person == 1
    assert given.namespaces["free"].max_per_person is None


def test_a_number_without_a_role_counts_as_the_recipients(shipped: Policy) -> None:
    phone = shipped.namespaces["phone"]
    roles = ("verified", "buyer", "recipient", "staff", "", "unheard_of")
    assert [phone.links(role) for role in roles] == [True, True, False, False, False, False]
    assert shipped.namespaces["wx_openid"].links("")


def test_a_weak_namespace_never_links(policy: Callable[..., Policy]) -> None:
    assert not policy(namespaces={"device": {"strength": "weak"}}).namespaces["device"].links("")


def test_an_unbind_reaches_the_sources_of_its_group(shipped: Policy) -> None:
    assert shipped.group_of("douyin_orders") == shipped.group_of("douyin_messages")
    assert shipped.group_of("pos") == "pos"


def test_a_namespace_may_have_its_own_policy(policy: Callable[..., Policy]) -> None:
    given = policy(namespaces={"a": {"policy": "last"}, "b": {}})
    assert (given.policy_for("a"), given.policy_for("b"), given.policy_for("unknown")) == ("last", "hold", "hold")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"polcy": "hold"}, "polcy: received 'an unknown key', allowed: .*policy"),
        ({"policy": "first"}, "policy: received 'first', allowed: hold, last"),
        ({"hub": {"max_account": 3}}, "hub.max_account: .*max_accounts"),
        ({"hub": {"max_total": 0}}, "hub.max_total: received 0, allowed: a whole number from 1"),
        ({"hub": 3}, "hub: received 3, allowed: a mapping"),
        ({"size_cap": True}, "size_cap: received True"),
        ({"gates": {"max_churn": "much"}}, "gates.max_churn: received 'much', allowed: a number from 0"),
        ({"reject": {"patterns": ["("]}}, "reject.patterns: .*a regular expression"),
        ({"reject": {"values": "null"}}, "reject.values: .*a list of texts"),
        ({"inference": {"promote_recipient_phone": 1}}, "true or false"),
        ({"source_groups": {"a": ["x"], "b": ["x"]}}, "source_groups.b: .*each source in one group, it is in a"),
        (
            {"namespaces": {"a": {"strength": "mighty"}}},
            "namespaces.a.strength: .*anchor, account, contact, weak, never",
        ),
        ({"namespaces": {"a": {"color": "red"}}}, "namespaces.a.color: .*unknown key"),
        ({"namespaces": {"a": {"max_per_person": 0}}}, "namespaces.a.max_per_person: .*from 1"),
        ({"namespaces": {"a": {"roles": {"x": "maybe"}}}}, "namespaces.a.roles.x: .*link, candidate"),
        ({"namespaces": {"a:b": {}}}, "names without a colon"),
        ({"namespaces": {"p": {"normaliser": "phone_cn", "scoped": True}}}, "namespaces.p.scoped"),
        ({"namespaces": {1: {}}}, "texts as keys"),
        ([], "the whole: .*a mapping"),
        ({"namespaces": {}}, "namespaces: .*at least one namespace"),
        ({"reject": {"by_namespace": {"membr_id": {"values": ["x"]}}}}, "membr_id: .*unknown namespace.*member_id"),
        ({"reject": {"values": 13800138000}}, "reject.values: received <phone>"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused_naming_key_and_allowed(data: Any, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        Policy.from_dict(data)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.yaml"
    path.write_text("policy: [", encoding="utf-8")
    with pytest.raises(PolicyError, match="a YAML mapping"):
        Policy.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"polcy: hold", "polcy: received 'an unknown key'"),
        (b"policy: hold\nhub: {max_accounts: 3", "line 2: .*a YAML mapping"),
        (b"policy: hold\npolicy: last", "policy: received 'twice, again in line 2', allowed: each key once"),
        (b"policy: \xff", "the file: .*UTF-8"),
        (None, "the file: .*No such file"),
    ],
)
def test_a_fault_in_a_file_names_the_file_and_the_next_command(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "identity.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError, match=f"{path}: {message}") as refused:
        Policy.load(path)
    assert refused.value.where == str(path)
    assert refused.value.hint.endswith(f"`cdp identity diff --policy {path}`")


def test_a_listed_number_is_refused_however_the_list_writes_it(policy: Callable[..., Policy]) -> None:
    listed = policy(reject={"by_namespace": {"phone": {"values": ["+86 139-1234-5671"]}}})
    for written in ("13912345671", "86 13912345671", "+86 139-1234-5671"):
        assert normalise_identifier(Identifier("phone", "", written), listed).refusal == "reject_value"


def test_an_empty_file_is_the_shipped_policy(tmp_path: Path, shipped: Policy) -> None:
    path = tmp_path / "identity.yaml"
    path.write_text("", encoding="utf-8")
    assert Policy.load(path) == shipped


def test_what_yaml_reads_as_a_number_or_nothing_is_rejected_as_it_was_written(policy: Callable[..., Policy]) -> None:
    assert policy(reject={"values": [None, 0, -1]}).reject.values == {"null", "0", "-1"}


def test_the_digest_changes_with_every_meaning_and_not_with_the_order_of_keys(policy: Callable[..., Policy]) -> None:
    changed = [policy(size_cap=5), policy(gates={"max_hubs": 3}), policy(namespaces={"member_id": {}})]
    assert len({given.digest() for given in changed} | {policy().digest()}) == 4
    backwards = Policy.from_dict(dict(reversed(list(SHIPPED.items()))))
    assert backwards.digest() == policy().digest()

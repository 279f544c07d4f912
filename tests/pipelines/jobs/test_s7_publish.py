"""The serving file holds just the versions a manifest names: who is who, what they did and bought, masked."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from identity.identifier import key64
from identity.token import phone_forms, pii_token
from pipelines.errors import IntegrityError
from pipelines.jobs.context import RunState
from pipelines.jobs.s7_publish import build_serving, mask_phone, publish_snapshot
from pipelines.keys import Keys, seal
from pipelines.publish import build_manifest, current
from pipelines.settings import Settings
from serving.access import view_of
from serving.contract import SNAPSHOT_FILE
from serving.security import Caller
from serving.store import Snapshot
from tests.pipelines.jobs.composed import DAY1, KEYS, PHONE, POLICY, ROOT
from tests.pipelines.published import write

ONE, TWO = "on_" + "1" * 26, "on_" + "2" * 26
TOKEN = pii_token(KEYS.identity, "phone", PHONE)
OPENID = key64("doudian_open_id", "7000001", "oA")
AT = 1735700530000


def mapped(namespace: str, scope: str, value: str, one_id: str) -> dict[str, Any]:
    return {
        "identifier_key": key64(namespace, scope, value), "namespace": namespace, "scope": scope, "value": value,
        "one_id": one_id, "status": "active", "valid_from": None, "valid_to": None,
    }  # fmt: skip


def order(number: int, **known: Any) -> dict[str, Any]:
    names = {"platform": "douyin", "shop_id": "s", "order_id": f"o{number}", "subject_key": OPENID, "status": "paid"}
    return names | {"is_paid": True, "paid_fen": 1000, "paid_at": AT, "created_at": AT - 1} | known


@pytest.fixture(scope="module")
def two_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose lake knows two people; tests write to copies of it."""
    home = tmp_path_factory.mktemp("lake")
    forms = phone_forms(KEYS.identity, PHONE, {})
    listed = [{"namespace": n, "scope": "", "value": value} for n in sorted(forms) for value in forms[n]]
    write(home, "identity.oneids", [{"one_id": one, "status": "active", "minted_at": DAY1} for one in (ONE, TWO)])
    rows = [mapped("doudian_open_id", "7000001", "oA", ONE), mapped("phone", "", TOKEN, ONE)]
    write(home, "identity.oneid_map", [*rows, mapped("wx_openid", "wx1", "oB", TWO)])
    write(home, "features.customer_features", [{"one_id": one, "is_visitor": False} for one in (ONE, TWO)])
    vault = {"token": TOKEN, "kind": "phone", "cipher": seal(KEYS.vault, TOKEN, PHONE), "key_id": KEYS.vault_id}
    write(home, "silver.pii_vault", [vault | {"forms": listed}])
    write(home, "silver.orders", [order(1), order(2, subject_key=None), order(3, is_paid=False, paid_fen=0)])
    refund = {"platform": "douyin", "shop_id": "s", "order_id": "o1", "success_at": AT}
    refunds = [("r1", "success", 300), ("r2", "success", 200), ("r3", "applied", 500)]
    write(
        home,
        "silver.refunds",
        [refund | {"refund_id": name, "status": status, "amount_fen": fen} for name, status, fen in refunds],
    )
    return home


@pytest.fixture
def home(two_people: Path, tmp_path: Path) -> Path:
    return shutil.copytree(two_people, tmp_path, dirs_exist_ok=True)


def context(home: Path, keys: Keys = KEYS) -> Any:
    settings = Settings(home=home, conf=ROOT / "conf", clock="2025-01-02T00:00:00+08:00")  # type: ignore[call-arg]
    names: dict[str, Any] = {"settings": settings, "keys": keys, "policy": POLICY, "run_id": "r000001", "as_of": DAY1}
    return SimpleNamespace(**names, say=lambda text: None, state=RunState())


def built(home: Path) -> sqlite3.Connection:
    folder = home / "built"
    folder.mkdir()
    build_serving(context(home), build_manifest(home, "r000001", DAY1), folder, AT)
    return sqlite3.connect(folder / SNAPSHOT_FILE)


@pytest.fixture(scope="module")
def serving(two_people: Path, tmp_path_factory: pytest.TempPathFactory) -> sqlite3.Connection:
    """The serving file of the two; built once."""
    return built(shutil.copytree(two_people, tmp_path_factory.mktemp("serving"), dirs_exist_ok=True))


def people(rows: sqlite3.Connection) -> dict[int, str]:
    return dict(rows.execute("SELECT person, one_id FROM profiles"))


def test_every_living_one_id_has_a_profile(serving: sqlite3.Connection) -> None:
    assert sorted(people(serving).values()) == [ONE, TWO]


def test_orders_know_their_buyer_and_what_was_given_back(serving: sqlite3.Connection) -> None:
    rows = serving
    names = people(rows)
    query = "SELECT order_id, person, paid_fen, refunded_fen, at_ms FROM orders ORDER BY order_id"
    found = [(name, names.get(person), *rest) for name, person, *rest in rows.execute(query)]
    assert found == [("o1", ONE, 1000, 500, AT), ("o2", None, 1000, 0, AT), ("o3", ONE, 0, 0, AT)]


def test_the_timeline_shows_orders_and_refunds_of_their_person(serving: sqlite3.Connection) -> None:
    rows = serving
    found = list(rows.execute("SELECT kind, ref, amount_fen FROM timeline ORDER BY kind, ref"))
    assert [(kind, ref.rpartition(":")[2], fen) for kind, ref, fen in found] == [
        ("order", "o1", 1000),
        ("order", "o3", 0),
        ("refund", "r1", 300),
        ("refund", "r2", 200),
        ("refund", "r3", 500),
    ]


def test_a_phone_is_found_by_token_and_by_the_forms_of_its_hashes_and_shown_masked(serving: sqlite3.Connection) -> None:
    rows = serving
    (personal,) = list(rows.execute("SELECT value, personal FROM identifiers WHERE namespace = 'phone'"))
    assert personal == (TOKEN, 1)
    assert list(rows.execute("SELECT display FROM masks")) == [("139****5678",)]
    forms = phone_forms(KEYS.identity, PHONE, {})
    keys = {key64(name, "", value) for name, values in forms.items() for value in values}
    assert dict(rows.execute("SELECT key, target_key FROM aliases")) == dict.fromkeys(keys, key64("phone", "", TOKEN))


def test_no_clear_phone_is_in_the_file(home: Path) -> None:
    built(home).close()
    assert PHONE.encode() not in (home / "built" / SNAPSHOT_FILE).read_bytes()


def test_a_manifest_names_the_versions_that_are_read(home: Path) -> None:
    manifest = build_manifest(home, "r000001", DAY1)
    write(home, "identity.oneids", [{"one_id": "on_" + "3" * 26, "status": "active", "minted_at": DAY1}])
    folder = home / "built"
    folder.mkdir()
    build_serving(context(home), manifest, folder, AT)
    assert sorted(people(sqlite3.connect(folder / SNAPSHOT_FILE)).values()) == [ONE, TWO]


CORP, SHOP = "ww0000000000000001", "4463798"


@pytest.fixture(scope="module")
def related(two_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A buyer of the brand's shop and a friend of two guides, who is also a member of another brand; built once."""
    home = shutil.copytree(two_people, tmp_path_factory.mktemp("related"), dirs_exist_ok=True)
    mine = [
        mapped("wecom_external_userid", CORP, "wmB", TWO),
        mapped("member_id", "brandB", "M", TWO),
        mapped("doudian_open_id", "elsewhere", "oX", ONE),
        {**mapped("mp_anonymous_id", "wx0000000000000001", "d", TWO), "one_id": None, "status": "hub"},
    ]
    write(home, "identity.oneid_map", mine)
    bought = order(9, shop_id=SHOP, is_paid=False, subject_key=key64("doudian_open_id", "elsewhere", "oX"))
    write(home, "silver.orders", [bought])
    friend = {"external_userid": "wmB", "subject_key": key64("wecom_external_userid", CORP, "wmB")}
    follows = [(CORP, "lisi", "active"), ("ww2", "lisi", "active"), (CORP, "wang", "deleted_by_customer")]
    rows = [friend | {"corp_id": corp, "userid": userid, "status": status} for corp, userid, status in follows]
    write(home, "silver.contact_follows", rows)
    built(home).close()
    return home


def seen_by(home: Path, **restrict: str) -> set[str]:
    """The people whom a key restricted to these values sees."""
    snapshot = Snapshot(home / "built" / SNAPSHOT_FILE)
    view = view_of(snapshot, Caller("k", frozenset(), {name: (value,) for name, value in restrict.items()}))
    return {one_id for one_id in (ONE, TWO) if view.profile(one_id) is not None}


@pytest.mark.parametrize(
    ("dimension", "value", "people"),
    [
        ("brand", "demo_brand", {ONE, TWO}),
        ("brand", "brandB", {TWO}),
        ("brand", "brandC", set()),
        ("guide", f"{CORP}|lisi", {TWO}),
        ("guide", "ww2|lisi", {TWO}),
        ("guide", "lisi", set()),
        ("guide", f"{CORP}|wang", set()),
    ],
)
def test_a_restricted_key_sees_the_people_of_its_brand_or_guide(
    related: Path, dimension: str, value: str, people: set[str]
) -> None:
    assert seen_by(related, **{dimension: value}) == people


def test_a_key_that_names_a_brand_and_a_guide_sees_who_fits_both(related: Path) -> None:
    assert seen_by(related, brand="brandB", guide="ww2|lisi") == {TWO}
    assert seen_by(related, brand="brandC", guide="ww2|lisi") == set()


def test_publishing_makes_the_snapshot_the_present_one(home: Path) -> None:
    name = publish_snapshot(context(home))
    manifest = current(home)
    assert manifest is not None
    assert (manifest.snapshot_id, manifest.as_of) == (name, DAY1)
    rows = sqlite3.connect(home / "snapshots" / name / SNAPSHOT_FILE)
    meta = dict(rows.execute("SELECT * FROM meta"))
    assert name in json.dumps(meta)


def test_an_empty_lake_can_be_published(tmp_path: Path) -> None:
    name = publish_snapshot(context(tmp_path))
    rows = sqlite3.connect(tmp_path / "snapshots" / name / SNAPSHOT_FILE)
    assert people(rows) == {}


def test_a_vault_that_another_key_sealed_stops_publishing(home: Path) -> None:
    with pytest.raises(IntegrityError, match="does not decrypt"):
        publish_snapshot(context(home, Keys(KEYS.identity, KEYS.pepper, "44" * 32)))
    assert current(home) is None


@pytest.mark.parametrize(("number", "shown"), [("13912345678", "139****5678"), ("+85291234567", "+85****4567")])
def test_a_number_is_shown_without_its_middle(number: str, shown: str) -> None:
    assert mask_phone(number) == shown

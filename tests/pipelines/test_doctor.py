"""The doctor says what is wrong with the machine or the lake, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import pipelines.doctor as doctor_module
from pipelines.doctor import Finding, diagnose
from pipelines.keys import create_keys
from pipelines.rebuilding import owe
from pipelines.settings import Settings
from pipelines.store.lake import create_table
from pipelines.tables import ALL
from tests.pipelines.damaging import data
from tests.pipelines.published import SHOPS, publish_run, shop, write

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a sound lake; Java and jars are looked at by tests of their own."""
    monkeypatch.setattr(doctor_module, "java_home", lambda: Path("/opt/java"))
    monkeypatch.setattr(doctor_module, "jar_paths", lambda: [Path("a.jar"), Path("b.jar")])
    create_keys(tmp_path / "keys")
    return Settings(home=tmp_path, conf=ROOT / "conf")  # type: ignore[call-arg]  # the rest has defaults


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in diagnose(settings)}


def test_a_sound_machine_and_lake_have_no_fault(settings: Settings) -> None:
    assert {name: finding.ok for name, finding in found(settings).items()} == {
        "java": True,
        "jars": True,
        "keys": True,
        "sources": True,
        "identity policy": True,
        "accounts": True,
        "space": True,
        "lake": True,
        "schemas": True,
        "repairs": True,
    }


def test_the_keys_are_named_by_the_vault_keys_id_only(settings: Settings) -> None:
    text = str([finding.as_dict() for finding in diagnose(settings)])
    assert [key.read_text().strip() in text for key in settings.keys.glob("*.key")] == [False] * 3


@pytest.mark.parametrize(
    ("damage", "name", "hint"),
    [
        (lambda settings: (settings.keys / "vault.key").unlink(), "keys", "cdp init"),
        (lambda settings: (settings.keys / "vault.key").write_text("x"), "keys", "backup"),
    ],
)
def test_a_fault_says_the_next_step(
    settings: Settings, damage: Callable[[Settings], object], name: str, hint: str
) -> None:
    damage(settings)
    finding = found(settings)[name]
    assert not finding.ok
    assert hint in finding.hint


@pytest.mark.parametrize("text", ["namespaces: 3", "policy: [", "policy: sometimes"])
def test_a_policy_that_cannot_be_used_is_a_fault_and_no_crash(settings: Settings, tmp_path: Path, text: str) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "identity.yaml").write_text(text)
    finding = found(settings.model_copy(update={"conf": tmp_path / "conf"}))["identity policy"]
    assert (finding.ok, bool(finding.hint)) == (False, True)


def test_a_source_that_cannot_be_used_is_a_fault(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "conf" / "sources").mkdir(parents=True)
    (tmp_path / "conf" / "sources" / "staff.yaml").write_text("sauce: staff")
    finding = found(settings.model_copy(update={"conf": tmp_path / "conf"}))["sources"]
    assert not finding.ok


def test_space_is_measured_where_the_home_will_be(settings: Settings, tmp_path: Path) -> None:
    finding = found(settings.model_copy(update={"home": tmp_path / "not" / "yet"}))["space"]
    assert str(tmp_path) in finding.detail


def test_too_little_space_is_a_fault(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "MIN_FREE_GIB", 1e9)
    finding = found(settings)["space"]
    assert (finding.ok, "free at least" in finding.hint) == (False, True)


def test_damage_of_the_lake_is_a_fault(settings: Settings) -> None:
    write(settings.home, SHOPS, [shop("1")])
    publish_run(settings.home, 1)
    data(settings.home).unlink()
    finding = found(settings)["lake"]
    assert (finding.ok, finding.hint) == (False, "run `cdp repair`")


def test_a_lake_that_waits_for_a_migration_is_a_fault(settings: Settings) -> None:
    table = ALL["silver.quarantine"]
    create_table(settings.lake, replace(table, columns=table.columns[:-1], schema_version=1))
    finding = found(settings)["schemas"]
    assert (finding.ok, finding.hint) == (False, "run `cdp migrate` once")


def test_rows_that_a_repair_could_not_bring_back_are_a_fault(settings: Settings) -> None:
    owe(settings.home, ["cdp run --full"])
    finding = found(settings)["repairs"]
    assert (finding.ok, finding.hint) == (False, "run `cdp run --full`")


def accounts(settings: Settings, text: str, *, name: str = "platforms.yaml", mode: int = 0o600) -> Finding:
    path = settings.keys / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return found(settings)["accounts"]


TMALL = "tmall: [{app_key: '21', app_secret: s, brand: b, shops: [{seller_nick: n, session: s}]}]"


def test_accounts_are_counted_and_a_missing_key_of_phone_hashes_is_named(settings: Settings) -> None:
    before = accounts(settings, TMALL)
    after = accounts(settings, "n: key", name="mix_keys.yaml")
    assert before.ok
    assert before.detail.startswith("1 shops, 0 mini-programs, 0 apps of WeCom corps; no mix_keys.yaml")
    assert (after.ok, after.detail) == (True, "1 shops, 0 mini-programs, 0 apps of WeCom corps")


@pytest.mark.parametrize(
    ("text", "told"),
    [(TMALL.replace("brand: b", "brnd: b"), "tmall.0.brnd: unknown key"), ("tmall: [", "no valid YAML")],
)
def test_accounts_of_another_form_are_a_fault_before_anything_is_pulled(
    settings: Settings, text: str, told: str
) -> None:
    finding = accounts(settings, text)
    assert not finding.ok
    assert told in finding.detail
    assert finding.hint == "docs/platforms.md shows the form of the file"


@pytest.mark.parametrize("name", ["platforms.yaml", "mix_keys.yaml"])
def test_secrets_that_others_can_read_are_a_fault(settings: Settings, name: str) -> None:
    finding = accounts(settings, "{}", name=name, mode=0o640)
    assert not finding.ok
    assert finding.hint == f"run `chmod 600 {settings.keys / name}`"

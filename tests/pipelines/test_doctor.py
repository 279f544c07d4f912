"""The doctor says what is wrong with the machine or the lake, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import pipelines.doctor as doctor_module
from pipelines.doctor import Finding, diagnose
from pipelines.keys import create_keys
from pipelines.settings import Settings

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
        "space": True,
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

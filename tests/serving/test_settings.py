from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.errors import ConfigRefusedError
from serving.settings import ServingSettings, find_identity_key
from tests.serving.sample import KEY

DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_environment_overrides_a_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDP_HOME", str(tmp_path))
    monkeypatch.setenv("CDP_SERVING__RATE_PER_MINUTE", "7")
    settings = ServingSettings()
    assert (settings.home, settings.rate_per_minute) == (tmp_path, 7)


def test_the_users_home_folder_is_not_taken_for_the_home_of_the_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    monkeypatch.delenv("CDP_HOME", raising=False)
    assert ServingSettings().home == Path("data")


def test_the_identity_key_comes_from_the_environment_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "identity.key").write_text("cd" * 32)
    monkeypatch.setenv("CDP_IDENTITY_KEY", KEY)
    assert find_identity_key(ServingSettings(home=tmp_path)) == KEY


def test_the_identity_key_is_read_from_the_home(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "identity.key").write_text(f"{KEY}\n")
    assert find_identity_key(ServingSettings(home=tmp_path)) == KEY


def test_the_folder_of_the_keys_can_be_given(tmp_path: Path) -> None:
    (tmp_path / "identity.key").write_text(f"{KEY}\n")
    assert find_identity_key(ServingSettings(home=tmp_path / "home", keys_dir=tmp_path)) == KEY


def test_a_home_without_keys_has_no_identity_key(tmp_path: Path) -> None:
    assert find_identity_key(ServingSettings(home=tmp_path)) is None


@pytest.mark.parametrize("text", ["", "\n", "short"])
def test_an_empty_or_short_key_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "identity.key").write_text(text)
    with pytest.raises(ConfigRefusedError, match="shorter than 32 characters"):
        find_identity_key(ServingSettings(home=tmp_path, keys_dir=tmp_path))


@pytest.mark.parametrize("text", ["", "short"])
def test_an_empty_or_short_key_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValidationError, match="shorter than 32 characters"):
        ServingSettings(identity_key=text)


def test_the_identity_key_is_not_shown_by_accident() -> None:
    assert KEY not in repr(ServingSettings(identity_key=KEY))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        ServingSettings().rate_per_minute = 1  # type: ignore[misc]  # the point of the test


def test_every_setting_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in ServingSettings.model_fields if f"| `{name}` |" not in text] == []

"""Keys are made once, read strictly, and seal values so that a second run writes the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError, IntegrityError
from pipelines.keys import create_demo_keys, create_keys, load_keys, refuse_demo_keys, seal, unseal

VAULT = "11" * 32


def test_keys_are_made_once_and_never_overwritten(tmp_path: Path) -> None:
    assert create_keys(tmp_path)
    before = load_keys(tmp_path)
    assert not create_keys(tmp_path)
    assert load_keys(tmp_path) == before


def test_key_files_are_readable_by_the_owner_only(tmp_path: Path) -> None:
    create_keys(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.key")} == {0o600}


def test_a_missing_key_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_keys(tmp_path)
    assert "cdp init" in caught.value.hint


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32, "11" * 31])
def test_a_malformed_key_is_refused(tmp_path: Path, content: str) -> None:
    create_keys(tmp_path)
    (tmp_path / "vault.key").write_text(content)
    with pytest.raises(ConfigurationError, match="vault"):
        load_keys(tmp_path)


def test_the_text_of_keys_shows_no_key(tmp_path: Path) -> None:
    create_keys(tmp_path)
    keys = load_keys(tmp_path)
    assert keys.identity not in repr(keys)
    assert keys.vault not in repr(keys)


def test_sealing_twice_gives_the_same_text_and_opens_again() -> None:
    sealed = seal(VAULT, "ab" * 16, "13912345678")
    assert sealed == seal(VAULT, "ab" * 16, "13912345678")
    assert unseal(VAULT, "ab" * 16, sealed) == "13912345678"


def test_a_sealed_value_does_not_open_under_another_token() -> None:
    sealed = seal(VAULT, "ab" * 16, "13912345678")
    with pytest.raises(IntegrityError):
        unseal(VAULT, "cd" * 16, sealed)


def test_demo_keys_are_refused_in_production(tmp_path: Path) -> None:
    create_demo_keys(tmp_path, "")
    refuse_demo_keys(tmp_path, "local")
    with pytest.raises(ConfigurationError, match="demo"):
        refuse_demo_keys(tmp_path, "prod")


def test_demo_keys_never_replace_real_ones(tmp_path: Path) -> None:
    create_keys(tmp_path)
    before = load_keys(tmp_path)
    create_demo_keys(tmp_path, "")
    assert load_keys(tmp_path) == before

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.__main__ import main
from serving.keys import list_keys
from serving.operational import default_url, open_store


def said(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def create(home: Path, *more: str) -> int:
    return main(["keys", "create", "--home", str(home), "--name", "BI", "--scope", "profiles:read", *more])


def test_a_key_is_made_and_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(tmp_path, "--days", "3", "--guide", "lihua", "--rate-per-minute", "9") == 0
    (made,) = said(capsys)
    assert made["key"].startswith(f"cdp_{made['key_id']}_")
    assert (made["restrict"], made["rate_per_minute"]) == ({"guide": ["lihua"]}, 9)
    assert main(["keys", "list", "--home", str(tmp_path)]) == 0
    (listed,) = said(capsys)
    assert "key" not in listed
    assert listed["key_id"] == made["key_id"]


def test_a_key_is_revoked_by_its_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create(tmp_path)
    (made,) = said(capsys)
    assert main(["keys", "revoke", "--home", str(tmp_path), made["key_id"]]) == 0
    (key,) = list_keys(open_store(default_url(tmp_path)))
    assert key.revoked_ms is not None


def test_an_unfit_key_ends_with_exit_code_two_and_one_json_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create(tmp_path, "--days", "0") == 2
    fault = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert set(fault) == {"code", "message", "where", "hint"}
    assert "0 days" in fault["message"]


def test_an_unknown_scope_is_refused_with_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(tmp_path, "--scope", "everything") == 2
    fault = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (fault["message"], fault["hint"]) == (
        "API key refused: unknown scopes everything",
        "scopes are profiles:read, segments:preview",
    )


def test_an_unknown_key_cannot_be_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "revoke", "--home", str(tmp_path), "0" * 12]) == 2
    assert "no such API key" in capsys.readouterr().err


def test_a_malformed_setting_is_named_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDP_IDENTITY_KEY", "weak-key")
    assert main(["run", "--home", str(tmp_path), "--port", "0"]) == 2
    fault = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (fault["code"], fault["where"]) == (2, "CDP_IDENTITY_KEY")
    assert "weak-key" not in json.dumps(fault)


@pytest.mark.parametrize("arguments", [[], ["keys"], ["keys", "create"], ["run", "--port", "x"]])
def test_a_command_that_is_none_ends_with_exit_code_two(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m serving" in capsys.readouterr().err

"""`cdp pull` as its user meets it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from pipelines.cli import pull
from pipelines.connectors.pull import PullOptions
from pipelines.errors import ConfigurationError, ExitCode
from pipelines.simulate.server import PlatformRules, PlatformServer
from serving.contract.pull_queue import Hint, enqueue
from tests.pipelines.connectors.trial import CONFIG, Now

app = typer.Typer()
pull.mount(app)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a home of its own, at the end of the simulated world."""
    path = tmp_path / "settings.yaml"
    path.write_text(yaml.safe_dump({"home": str(tmp_path / "home"), "clock": "2025-01-05T00:00:00+08:00"}))
    (tmp_path / "home" / "keys").mkdir(parents=True)
    return path


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for his turn to call: pacing is tested where the calls are."""
    monkeypatch.setattr(pull, "PullOptions", partial(PullOptions, sleep=lambda _: None))


def run(config: Path, *words: str) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(app, ["--config", str(config), *words])
    return result.stdout, result.exception


def test_without_accounts_it_says_which_file_is_missing(config: Path) -> None:
    _, error = run(config)
    assert isinstance(error, ConfigurationError)
    assert error.where.endswith("keys/platforms.yaml")


def test_an_unknown_platform_is_refused_with_the_known_ones(config: Path) -> None:
    (config.parent / "home" / "keys" / "platforms.yaml").write_text("{}")
    _, error = run(config, "--platform", "myspace")
    assert isinstance(error, ConfigurationError)
    assert "douyin, tmall, wecom" in error.message


def test_a_pull_reports_records_and_fails_for_what_failed(config: Path) -> None:
    with PlatformServer(CONFIG, Now()) as server:
        accounts = server.accounts()
        accounts["douyin"][1]["app_secret"] = "another one"
        (config.parent / "home" / "keys" / "platforms.yaml").write_text(yaml.safe_dump(accounts), encoding="utf-8")
        out, error = run(config, "--platform", "douyin", "--since", "2025-01-03", "--json")
    report = json.loads(out)
    assert report["records"]["douyin_orders"] > 10
    assert error is not None
    assert getattr(error, "code", None) == ExitCode.REFUSED
    assert "7000002" in getattr(error, "where", "")
    assert len(report["failures"]) == 3
    assert {failure["hint"] for failure in report["failures"]} == {"check app key, secret and shop in platforms.yaml"}


def test_every_failure_is_told_with_what_helps_against_it(config: Path) -> None:
    with PlatformServer(CONFIG, Now()) as server:
        accounts = server.accounts()
        accounts["douyin"][1]["app_secret"] = "another one"
        accounts["tmall"][0]["shops"][0]["session"] = "an ended one"
        (config.parent / "home" / "keys" / "platforms.yaml").write_text(yaml.safe_dump(accounts), encoding="utf-8")
        out, _ = run(config, "--platform", "douyin", "--platform", "tmall", "--since", "2025-01-03")
    told = [line for line in out.splitlines() if line.startswith("FAILED ")]
    assert {line.partition(" ")[2].partition("/")[0]: line.rpartition("; ")[2] for line in told} == {
        "douyin": "check app key, secret and shop in platforms.yaml",
        "tmall": "let the seller authorise the app again and put the new session into platforms.yaml",
    }


def test_details_asked_for_in_vain_are_told_by_reason_and_are_no_failure(config: Path) -> None:
    unknown = [Hint("douyin", "7000001", "order", f"690000000000000000{end}", "4463798") for end in range(3)]
    elsewhere = Hint("douyin", "7000001", "order", "6900000000000000009", "1")
    enqueue(config.parent / "home", [*unknown, elsewhere])
    with PlatformServer(CONFIG, Now()) as server:
        text = yaml.safe_dump(server.accounts())
        (config.parent / "home" / "keys" / "platforms.yaml").write_text(text, encoding="utf-8")
        out, error = run(config, "--platform", "douyin", "--since", "2025-01-04")
    assert error is None
    again = "; the next pulls ask again, 10 times in all"
    assert [line for line in out.splitlines() if line.startswith("MISSED ")] == [
        f"MISSED {detail}{again}"
        for detail in (
            "douyin/7000001/order: 3, douyin order.orderDetail: 40003 isv.parameter-invalid:order",
            "douyin/7000001/order: 1, douyin order.orderDetail: the shop of the hint is not in platforms.yaml",
        )
    ]
    assert "details: 0 fetched, 4 failed, 0 given up" in out


def test_what_waits_for_a_right_is_told_with_the_next_command_and_is_no_failure(config: Path) -> None:
    with PlatformServer(CONFIG, Now(), PlatformRules(decryptions=0)) as server:
        text = yaml.safe_dump(server.accounts())
        (config.parent / "home" / "keys" / "platforms.yaml").write_text(text, encoding="utf-8")
        out, error = run(config, "--platform", "douyin", "--since", "2025-01-03")
    assert error is None
    told = [line for line in out.splitlines() if line.startswith("WAITING douyin/")]
    assert len(told) == 3
    assert all("30001 isv.no-permission" in line and "then run `cdp pull`" in line for line in told)


def test_every_failed_source_is_told_with_what_to_do_about_it(config: Path) -> None:
    with PlatformServer(CONFIG, Now()) as server:
        accounts = server.accounts()
        accounts["douyin"][1]["app_secret"] = "another one"
        (config.parent / "home" / "keys" / "platforms.yaml").write_text(yaml.safe_dump(accounts), encoding="utf-8")
        out, error = run(config, "--platform", "douyin", "--since", "2025-01-03")
    told = [line for line in out.splitlines() if line.startswith("FAILED ")]
    assert len(told) == 3
    assert all(line.endswith("; check app key, secret and shop in platforms.yaml") for line in told)
    assert ", and 2 other sources failed" in str(getattr(error, "message", ""))

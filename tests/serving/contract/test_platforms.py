"""The file of the platform accounts: read once, refused by place and never by value."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.contract.platforms import ConfigRefusedError, Platforms, read_platforms


def written(folder: Path, text: str) -> Platforms | None:
    (folder / "platforms.yaml").write_text(text, encoding="utf-8")
    return read_platforms(folder)


def test_without_the_file_there_are_no_accounts(tmp_path: Path) -> None:
    assert read_platforms(tmp_path) is None


def test_unquoted_ids_are_texts(tmp_path: Path) -> None:
    found = written(tmp_path, "douyin: [{app_key: 7000001, app_secret: s3cret, shops: [{shop_id: 4463798}]}]")
    assert found is not None
    assert (found.douyin[0].app_key, found.douyin[0].shops[0].shop_id) == ("7000001", "4463798")


def test_a_value_can_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "from outside")
    found = written(tmp_path, 'douyin: [{app_key: "7", app_secret: "env:SHOP_SECRET"}]')
    assert found is not None
    assert found.douyin[0].app_secret.get_secret_value() == "from outside"


def test_an_unset_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigRefusedError, match="NOT_THERE_AT_ALL is not set"):
        written(tmp_path, 'douyin: [{app_key: "7", app_secret: "env:NOT_THERE_AT_ALL"}]')


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('douyin: [{app_key: "7", app_secret: ""}]', "douyin.0.app_secret"),
        ('douyin: [{app_key: "7", app_secret: " "}]', "douyin.0.app_secret"),
        ("wecom: [{corp_id: ww1, encoding_aes_key: hidden-value}]", "wecom.0.encoding_aes_key"),
        ('wecom: [{corp_id: ww1, encoding_aes_key: "' + "!" * 43 + '"}]', "wecom.0.encoding_aes_key"),
        ("wecom: [{corp_id: ww1, calls_per_second: 0}]", "wecom.0.calls_per_second"),
        ("wecom: [{corp_id: ww1, sekret: hidden-value}]", "wecom.0.sekret"),
        ("tmall: 5", "tmall"),
        ("endpoints: {wecom: 'http://qyapi.weixin.qq.com/cgi-bin'}", "endpoints.wecom"),
        ("endpoints: {wecom: 'ftp://127.0.0.1'}", "endpoints.wecom"),
        ("endpoints: {wecom: 'http://[::1'}", "endpoints.wecom"),
        ("endpoints: {wecom: 'https://x:port'}", "endpoints.wecom"),
        ("douyin: [", "YAML"),
    ],
)
def test_a_fault_is_named_by_its_place_only(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(ConfigRefusedError, match=place) as caught:
        written(tmp_path, text)
    assert "hidden-value" not in str(caught.value)


def test_a_trial_may_ask_this_machine_without_encryption(tmp_path: Path) -> None:
    found = written(tmp_path, "endpoints: {wecom: 'http://127.0.0.1:8000/cgi-bin/', tmall: 'https://proxy.test/rest'}")
    assert found is not None
    assert (found.endpoints.wecom, found.endpoints.tmall) == (
        "http://127.0.0.1:8000/cgi-bin",
        "https://proxy.test/rest",
    )


def test_no_secret_is_shown(tmp_path: Path) -> None:
    assert "s3cret" not in repr(written(tmp_path, 'douyin: [{app_key: "7", app_secret: s3cret}]'))

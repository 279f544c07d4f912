"""The sources' files are read strictly: a wrong key names file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError
from pipelines.sources import FEED_PARSERS
from pipelines.sources.config import Bounds, feed_defaults, load_bounds, load_mix_keys, load_sources

CONF = Path(__file__).resolve().parents[3] / "conf"
STAFF = "source: staff\nowner: retail\ncadence: daily\nfeeds: [staff]\n"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    return tmp_path


def write(conf: Path, text: str, name: str = "staff") -> Path:
    path = conf / "sources" / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_shipped_feed_has_settings() -> None:
    sources = load_sources(CONF)
    assert sorted({parser.source for parser in FEED_PARSERS.values()} - set(sources)) == []


def test_every_feed_has_its_configured_context() -> None:
    defaults = feed_defaults(CONF)
    assert defaults["tmall_trades"] == {"platform": "tmall"}
    assert set(defaults) >= {"points_events", "consents", "order_claims"}


def test_shipped_bounds_are_of_known_feeds() -> None:
    assert sorted(set(load_bounds(CONF)) - set(FEED_PARSERS)) == []


def test_settings_are_what_the_file_says(conf: Path) -> None:
    write(conf, STAFF + "context_defaults: {brand: brandA}\nignored: {a.b: not needed}\n")
    settings = load_sources(conf)["staff"]
    assert (settings.context_defaults, settings.ignored) == ({"brand": "brandA"}, {"a.b": "not needed"})


def test_bounds_come_by_feed_with_what_they_leave_open(conf: Path) -> None:
    write(conf, STAFF + "bounds: {staff: {min: 3, max_refused_share: 0.5}}\n")
    assert load_bounds(conf) == {"staff": Bounds(min=3, max=None, max_refused_share=0.5)}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (STAFF + "sauce: x\n", "sauce"),
        ("source: staff\n", "owner"),
        (STAFF + "bounds: {staff: {least: 3}}\n", r"bounds\.staff\.least"),
        (STAFF + "bounds: {staff: {max_refused_share: 5}}\n", r"bounds\.staff\.max_refused_share"),
        (STAFF + "bounds: {staff: {min: -1}}\n", r"bounds\.staff\.min"),
    ],
)
def test_a_wrong_key_is_refused_by_name(conf: Path, text: str, key: str) -> None:
    path = write(conf, text)
    with pytest.raises(ConfigurationError, match=key) as caught:
        load_sources(conf)
    assert caught.value.where == str(path)


def test_a_source_must_have_the_name_of_its_file(conf: Path) -> None:
    write(conf, STAFF, name="guides")
    with pytest.raises(ConfigurationError, match="must have the file's name 'guides'"):
        load_sources(conf)


def test_broken_yaml_is_refused(conf: Path) -> None:
    write(conf, "source: [")
    with pytest.raises(ConfigurationError, match="no valid YAML"):
        load_sources(conf)


def test_merchant_keys_are_text_and_may_be_absent(tmp_path: Path) -> None:
    assert load_mix_keys(tmp_path) == {}
    (tmp_path / "mix_keys.yaml").write_text("100200301: 12345\n")
    assert load_mix_keys(tmp_path) == {"100200301": "12345"}


def test_merchant_keys_of_another_form_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mix_keys.yaml").write_text("- a\n")
    with pytest.raises(ConfigurationError, match="mapping of merchant to key"):
        load_mix_keys(tmp_path)

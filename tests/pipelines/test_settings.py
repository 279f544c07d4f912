"""Settings are layered, typed, and name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import ConfigurationError
from pipelines.settings import ServingSettings, api_environment, load_settings
from serving.settings import ServingSettings as Api


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "base.yaml").write_text("home: one\nspark:\n  memory: 6g\n  shuffle_partitions: 4\n")
    (folder / "local.yaml").write_text("spark:\n  memory: 3g\n")
    return folder


def environment(conf: Path, **more: str) -> dict[str, str]:
    return {"CDP_CONF": str(conf), **more}


def test_a_later_layer_overrides_only_the_keys_it_names(conf: Path) -> None:
    settings = load_settings(environ=environment(conf)).settings
    assert (settings.spark.memory, settings.spark.shuffle_partitions) == ("3g", 4)


def test_the_environment_overrides_every_file(conf: Path) -> None:
    loaded = load_settings(environ=environment(conf, CDP_SPARK__MEMORY="9g"))
    assert loaded.settings.spark.memory == "9g"
    assert loaded.origins["spark.memory"] == "environment"


def test_the_config_file_overrides_the_environment_layer_file(conf: Path, tmp_path: Path) -> None:
    extra = tmp_path / "extra.yaml"
    extra.write_text("spark:\n  memory: 1g\n")
    loaded = load_settings(extra, environ=environment(conf))
    assert loaded.settings.spark.memory == "1g"
    assert loaded.origins["spark.memory"] == str(extra)


def test_an_unknown_key_is_refused_by_name(conf: Path) -> None:
    (conf / "base.yaml").write_text("hoem: one\n")
    with pytest.raises(ConfigurationError, match="hoem"):
        load_settings(environ=environment(conf))


def test_a_wrong_type_is_refused_with_its_dotted_key(conf: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"spark\.shuffle_partitions"):
        load_settings(environ=environment(conf, CDP_SPARK__SHUFFLE_PARTITIONS="many"))


def test_an_unknown_environment_names_the_known_ones(conf: Path) -> None:
    with pytest.raises(ConfigurationError, match="known: local"):
        load_settings(environ=environment(conf, CDP_ENV="staging"))


def test_broken_yaml_names_the_line(conf: Path) -> None:
    (conf / "base.yaml").write_text("home: one\nspark: [\n")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environment(conf))
    assert "base.yaml, line" in caught.value.where


def test_paths_are_absolute(conf: Path) -> None:
    assert load_settings(environ=environment(conf)).settings.home.is_absolute()


def test_settings_of_the_api_reach_its_process_whatever_layer_they_are_from(conf: Path, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("serving:\n  rate_per_minute: 7\n")
    settings = load_settings(tmp_path / "more.yaml", {"CDP_CONF": str(conf), "CDP_SERVING__MAX_LOOKUPS": "3"}).settings
    given = api_environment(settings, {"PATH": "/bin"})
    assert (given["PATH"], given["CDP_SERVING__RATE_PER_MINUTE"]) == ("/bin", "7")
    assert given["CDP_SERVING__MAX_LOOKUPS"] == "3"


def test_the_api_knows_every_setting_it_is_given_with_the_same_default() -> None:
    known = {name: field.default for name, field in Api.model_fields.items()}
    given = {
        name: field.default for name, field in ServingSettings.model_fields.items() if name not in ("host", "port")
    }
    assert given.items() <= known.items()

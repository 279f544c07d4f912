"""The recipes of CONTRIBUTING.md work as written: each is taken from the text and carried out."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import yaml
from pydantic import SecretStr

from features.catalog import CATALOG
from features.spec import Tag
from identity import Policy
from identity.namespace import Strength
from pipelines.sources.base import Context, Parsed, Record
from pipelines.sources.config import load_sources
from pipelines.tables import ALL
from serving.app import create_app
from serving.clock import wall_clock_ms
from serving.keys import KeyRequest, create_key
from serving.operational import open_store
from serving.settings import ServingSettings
from tests.laws.code import ROOT
from tests.serving.sample import CROWD, KEY, publish, sample_inputs

BLOCK = re.compile(r"^```\w+ (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PARSER, ROUTER = "pipelines/sources/loyalty.py", "serving/routers/people.py"
Get = Callable[..., httpx.Response]
CARD = {"card_no": "C1", "mobile": "13912345670", "grade": "gold", "updated": "2025-03-01T10:00:00+08:00"}


@cache
def blocks() -> dict[str, str]:
    return dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A configuration folder with the recipe's source."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "loyalty.yaml").write_text(blocks()["conf/sources/loyalty.yaml"], encoding="utf-8")
    return tmp_path


def load(block: str, folder: Path) -> ModuleType:
    """A recipe's module, loaded from a file as it would lie in its package."""
    path = folder / Path(block).name
    path.write_text(blocks()[block], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def loyalty(tmp_path: Path) -> ModuleType:
    """The recipe's parser."""
    return load(PARSER, tmp_path)


@pytest.fixture
def get(tmp_path: Path) -> Iterator[Get]:
    """Asks an API over the sample brand that has the recipe's endpoint; with a key that may read profiles, or none."""
    publish(tmp_path, sample_inputs())
    settings = ServingSettings(home=tmp_path, identity_key=SecretStr(KEY))
    request = KeyRequest("recipe", ["profiles:read"])
    token = create_key(open_store(settings.store_url), request, now_ms=wall_clock_ms()).token
    app = create_app(settings)
    app.include_router(load(ROUTER, tmp_path).router)

    async def ask(path: str, headers: dict[str, str]) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
            return await client.get(path, headers=headers)

    def answer(path: str, *, with_key: bool = True) -> httpx.Response:
        return asyncio.run(ask(path, {"Authorization": f"Bearer {token}"} if with_key else {}))

    yield answer
    app.state.runtime.holder.close()


def parse(loyalty: ModuleType, conf: Path, card: dict[str, Any]) -> Parsed:
    settings = load_sources(conf)["loyalty"]
    context = Context(feed="loyalty_cards", interval="2025-03-01", **settings.context_defaults)
    (parser,) = loyalty.PARSERS
    (raw,) = parser.split(json.dumps({"cards": [card]}).encode(), context)
    parsed: Parsed = parser.parse(Record(json.loads(raw), context, settings))
    return parsed


def test_a_new_source_gives_rows_of_declared_columns(loyalty: ModuleType, conf: Path) -> None:
    ((table, row),) = parse(loyalty, conf, CARD).rows
    assert set(row) - {"subject"} <= set(ALL[table].column_names)
    assert (row["member_value"], row["level"], row["updated_at"]) == ("C1", "gold", 1740794400000)


def test_a_new_source_gives_identity_evidence_of_its_namespaces(loyalty: ModuleType, conf: Path) -> None:
    (observation,) = parse(loyalty, conf, CARD).observations
    assert [one["namespace"] for one in observation["ids"]] == ["member_id", "phone"]


def test_a_new_source_reports_what_nobody_expected(loyalty: ModuleType, conf: Path) -> None:
    parsed = parse(loyalty, conf, {**CARD, "nickname": "n", "colour": "red"})
    assert parsed.unknown == {"colour": "red"}


@pytest.mark.parametrize("block", [PARSER, ROUTER])
def test_the_code_of_the_recipe_passes_the_linter(block: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", block, "-"]
    done = subprocess.run(command, input=blocks()[block], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_new_namespace_is_one_line_of_the_policy() -> None:
    shipped = yaml.safe_load((ROOT / "conf" / "identity.yaml").read_text(encoding="utf-8"))
    added = yaml.safe_load(blocks()["conf/identity.yaml"])["namespaces"]
    policy = Policy.from_dict({**shipped, "namespaces": {**shipped["namespaces"], **added}})
    assert policy.namespaces["loyalty_card"].strength is Strength.ACCOUNT
    assert "loyalty_card" not in Policy.from_dict(shipped).namespaces


def test_a_new_tag_is_one_declaration_over_known_features() -> None:
    tag = eval(blocks()["features/tags.py"], {"Tag": Tag})
    known = {feature.name for feature in CATALOG.columns}
    assert isinstance(tag, Tag)
    assert set(re.findall(r"{(\w+)", tag.reason)) <= known
    assert "average_order_fen" in known


def test_a_tag_without_a_reason_is_refused() -> None:
    tag = eval(blocks()["features/tags.py"], {"Tag": Tag})
    with pytest.raises(ValueError, match="has no reason"):
        replace(tag, reason=" ")


def test_a_new_endpoint_answers_from_the_snapshot(get: Get) -> None:
    answer = get("/v1/people/count")
    assert answer.json() == {"people": len(CROWD) + 2}
    assert answer.headers["X-Snapshot-Id"] == "s1"


def test_a_new_endpoint_answers_nobody_without_a_key(get: Get) -> None:
    assert get("/v1/people/count", with_key=False).status_code == 401

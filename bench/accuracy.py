"""What the guards are worth: accuracy against the truth of simulated brands, beside plain connected components.

Run: `python -m bench.accuracy`; it ingests and stitches a brand at default dirt, and one where shared numbers, staff's
numbers, re-issued numbers and wrong claims come three times as often; each once as shipped, where the receiver's number
of a Douyin order links (`order_phone_role: buyer`), once with `recipient`, where it only makes a candidate: gifts and
shop assistants then join nobody; and once more with `recipient` where a sole account's number of several orders is
inferred to be its own (`promote_recipient_phone`). Plain components join over every edge that evidence states, whatever
a guard says of it. Identifiers of more than one person (a shared number itself) are nobody's in particular and not
counted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench._brand import say, settings_of
from identity.components import connected_components
from pipelines.cli.common import cluster_session
from pipelines.demo import MIX_KEYS, START
from pipelines.evaluate import Truth, accuracy, evaluate, read_truth
from pipelines.keys import create_demo_keys, load_keys
from pipelines.policies import policy_path, read_policy
from pipelines.runner import RunRequest, run_pipeline
from pipelines.settings import Settings
from pipelines.simulate import Dirt, SimulationConfig, simulate
from pipelines.store.versions import rows_of

MISLEADING = ("shared_phones", "staff_phones", "reissued_phones", "wrong_claims")
ROLES = ("buyer", "recipient", "recipient, promoted")
CONF = Path(__file__).resolve().parents[1] / "conf"
JOBS = ("s1_bronze", "s2_silver", "s3_identity")


def main() -> None:
    """Prints a Markdown table; with `--out` also writes the figures as JSON."""
    options = _options()
    usual = Dirt.default()
    more = {name: min(1.0, getattr(usual, name) * options.factor) for name in MISLEADING}
    rows: list[dict[str, Any]] = []
    for name, dirt in (("default dirt", usual), (f"misleading dirt x {options.factor:g}", replace(usual, **more))):
        config = SimulationConfig(people=options.people, days=options.days, seed=options.seed, dirt=dirt)
        for role in ROLES:
            rows += [{"world": name, "role": role, **row} for row in measure(config, role)]
    print("| world | order numbers | way | precision | recall | F1 | wrong pairs |\n|---|---|---|---|---|---|---|")
    for row in rows:
        shown = " | ".join(f"{row[measure]:.5f}" for measure in ("precision", "recall", "f1"))
        print(f"| {row['world']} | {row['role']} | {row['way']} | {shown} | {row['wrong']} |")
    if options.out:
        Path(options.out).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def measure(config: SimulationConfig, role: str) -> list[dict[str, Any]]:
    """The accuracy of the stitcher and of plain components on one world; `role` of the receivers' numbers."""
    home = Path(tempfile.mkdtemp(prefix="bench-accuracy-"))
    try:
        conf = _configuration(home, role)
        settings = settings_of(home, {"CDP_CONF": str(conf)})
        create_demo_keys(settings.keys, MIX_KEYS)
        simulate(config, home)
        last = (date.fromisoformat(START) + timedelta(days=config.days - 1)).isoformat()
        with cluster_session(settings) as cluster:
            run_pipeline(cluster, settings, RunRequest(START, last, only=JOBS), say)
        policy, key = read_policy(policy_path(settings)), load_keys(settings.keys).identity
        stitched = evaluate(home, home / "truth", policy, key)
        plain = plain_components(settings, read_truth(home / "truth", policy, key))
        return [_row(f"stitcher, {policy.policy}", stitched), _row("plain components", plain)]
    finally:
        shutil.rmtree(home, ignore_errors=True)


def plain_components(settings: Settings, truth: Truth) -> dict[str, Any]:
    """The accuracy of the components over all edges of a lake, suspended ones included."""
    query = "SELECT a_key, b_key, a_identifier AS a, b_identifier AS b FROM t WHERE status <> 'withdrawn'"
    edges = rows_of(settings.lake, "identity.edges", query)
    names = {row[f"{end}_key"]: row[end] for row in edges for end in "ab"}
    src, dst = (np.array([row[f"{end}_key"] for row in edges], dtype=np.int64) for end in "ab")
    found = connected_components(src, dst)
    owner = {names[k]: str(c) for k, c in zip(found.nodes.tolist(), found.component.tolist(), strict=True)}
    return accuracy(owner, truth.person, truth.groups).as_dict()


def _configuration(home: Path, role: str) -> Path:
    """The shipped configuration with another role of the receivers' numbers."""
    conf = home / "conf"
    shutil.copytree(CONF, conf)
    name, _, promoted = role.partition(", ")
    _change(conf / "sources" / "douyin.yaml", "order_phone_role: buyer ", f"order_phone_role: {name} ")
    if promoted:
        _change(conf / "identity.yaml", "promote_recipient_phone: false", "promote_recipient_phone: true")
    return conf


def _change(file: Path, shipped: str, wanted: str) -> None:
    text = file.read_text(encoding="utf-8")
    if shipped not in text:
        raise SystemExit(f"{file.name} no longer says {shipped!r}: expected the shipped value to change")
    file.write_text(text.replace(shipped, wanted), encoding="utf-8")


def _row(way: str, measures: dict[str, Any]) -> dict[str, Any]:
    wrong = round(measures["pairs_found"] * (1 - measures["precision"]))
    return {"way": way, "wrong": wrong, **measures}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=8_000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--factor", type=float, default=3.0)
    parser.add_argument("--out", help="write the figures as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    main()

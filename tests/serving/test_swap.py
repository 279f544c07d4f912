from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from serving.holder import SnapshotHolder
from tests.serving.client import FakeClock, World
from tests.serving.sample import ANNA, PHONE, feature_rows, point, publish, sample_inputs, table, tag_rows

SWAPS = 40


def marked(snapshot_id: str, mark: int) -> object:
    """A snapshot in which every part of Anna says `mark`."""
    tags = [{**row, "value": str(mark)} for row in tag_rows()]
    features = [{**row, "net_fen": mark} for row in feature_rows()]
    return sample_inputs(snapshot_id, tags=table(tags), features=table(features))


def test_no_read_fails_or_mixes_two_snapshots_while_they_are_swapped(tmp_path: Path) -> None:
    for mark in (1, 2):
        publish(tmp_path, marked(f"s{mark}", mark))  # type: ignore[arg-type]  # inputs
    holder = SnapshotHolder(tmp_path, FakeClock())
    done = threading.Event()

    def read() -> set[tuple[str, str, float]]:
        seen = set()
        while not done.is_set():
            with holder.lease() as snapshot:
                person = snapshot.profile(ANNA)
                assert person is not None
                column = snapshot.feature("net_fen")
                assert column is not None
                seen.add(
                    (snapshot.snapshot_id, snapshot.tags(person.person)[0][1], float(column.numbers[person.person]))
                )
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for _, mark in zip(range(SWAPS), itertools.cycle((1, 2)), strict=False):
            point(tmp_path, f"s{mark}")
            with holder.lease() as snapshot:
                assert snapshot.snapshot_id == f"s{mark}"
        done.set()
        seen = set().union(*(reader.result() for reader in readers))
    assert seen <= {("s1", "1", 1.0), ("s2", "2", 2.0)}
    assert holder.switches >= SWAPS - 1


def test_no_request_fails_while_snapshots_are_swapped(world: World) -> None:
    for mark in (1, 2):
        publish(world.home, marked(f"s{mark}", mark))  # type: ignore[arg-type]  # inputs
    api = world.api()
    answers = []
    for place in range(SWAPS):
        if place % 5 == 0:
            point(world.home, f"s{place % 2 + 1}")
        answers.append(
            api.get(f"/v1/profiles/{ANNA}") if place % 2 else api.post("/v1/profiles/lookup", {"identifier": PHONE})
        )
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers[1::2]:
        document = answer.json()
        mark = {"s1": 1, "s2": 2}[answer.headers["X-Snapshot-Id"]]
        assert (document["snapshot_id"], document["features"]["orders"]["net_fen"]) == (f"s{mark}", mark)
        assert {tag["value"] for tag in document["tags"]} == {str(mark)}


def test_a_snapshot_without_anybody_can_be_served(world: World) -> None:
    nobody = pa.table({"one_id": pa.array([], pa.string()), "status": pa.array([], pa.string())})
    facts = ("features", "tags", "timeline", "orders", "consents", "aliases", "access")
    nothing = dict.fromkeys(("oneid_map", *facts), ())
    publish(world.home, sample_inputs("s0", oneids=nobody, **nothing))
    api = world.api()
    assert api.get("/readyz").status_code == 200
    assert api.get(f"/v1/profiles/{ANNA}").status_code == 404
    assert api.get("/v1/segments/vocabulary").json() == {"layers": [], "tags": [], "features": []}

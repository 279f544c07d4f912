"""`/v1/segments`: how many people fit a combination of tags, layers and feature ranges, before anything is saved."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends
from fastapi.responses import Response

from serving.access import View
from serving.models import SegmentPreview, Vocabulary
from serving.problems import Problem
from serving.runtime import REFUSALS, Asker, allowed, answered
from serving.segments import PreviewRequest, SegmentRefused, people_of, spread_sample

router = APIRouter(prefix="/v1/segments", tags=["segments"], responses=REFUSALS)
Planner = Annotated[Asker, Depends(allowed("segments:preview"))]


@router.post("/preview", response_model=SegmentPreview)
async def preview(body: PreviewRequest, asker: Planner) -> Response:
    """How many people fit the conditions, with some of them; small groups are hidden. Visitors do not count."""
    with asker.view() as view:
        return await anyio.to_thread.run_sync(_preview, body, view, asker.process.settings.smallest_group)


def _preview(body: PreviewRequest, view: View, smallest: int) -> Response:
    try:
        people = people_of(body.where, view.snapshot, view.everyone())
    except SegmentRefused as refused:
        raise Problem(422, refused.problem, f"allowed: {refused.allowed}") from refused
    small = len(people) < smallest
    members = view.snapshot.one_ids([] if small else spread_sample(people, body.sample))
    document = {
        "count": f"<{smallest}" if small else len(people),
        "sample": [{"one_id": one_id, "layer": layer} for one_id, layer in members],
        "snapshot_id": view.snapshot.snapshot_id,
        "as_of": view.snapshot.as_of,
    }
    return answered(document)


@router.get("/vocabulary", response_model=Vocabulary)
async def vocabulary(asker: Planner) -> Response:
    """Layers, tags with their values, and numeric features that conditions may name."""
    smallest = asker.process.settings.smallest_group
    with asker.view() as view:
        tags, features = view.snapshot.vocabulary()
        counts = {name: view.snapshot.bitmaps("tag", name) for name in {tag for tag, _, _ in tags}}
        people = view.everyone()
        document = {
            "layers": sorted(view.snapshot.bitmaps("layer", "relation")),
            "tags": [
                {
                    "tag": tag,
                    "value": value,
                    "count": _hidden(people.intersection_cardinality(counts[tag][value]), smallest),
                }
                for tag, value, _ in tags
            ],
            "features": [{"feature": name, "group": group, "kind": kind} for name, group, kind in features],
        }
        return answered(document)


def _hidden(count: int, smallest: int) -> int | str:
    return f"<{smallest}" if count < smallest else count

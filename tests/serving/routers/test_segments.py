from __future__ import annotations

from typing import Any

import pytest

from tests.serving.client import Api, World
from tests.serving.sample import CROWD, tag_rows


def preview(api: Api, where: Any, **more: Any) -> Any:
    return api.post("/v1/segments/preview", {"where": where, **more}).json()


def test_a_tag_counts_those_who_carry_it(sample_api: Api) -> None:
    assert preview(sample_api, {"tag": "spending", "value": "low"})["count"] == len(CROWD) + 1


def test_visitors_count_nowhere(sample_api: Api) -> None:
    everybody = {"or": [{"tag": "spending"}, {"not": {"tag": "spending"}}]}
    assert preview(sample_api, everybody)["count"] == len(CROWD) + 2


def test_a_small_group_is_hidden_and_not_sampled(sample_api: Api) -> None:
    document = preview(sample_api, {"tag": "spending", "value": "high"})
    assert (document["count"], document["sample"]) == ("<10", [])


def test_nobody_is_hidden_like_a_small_group(sample_api: Api) -> None:
    assert preview(sample_api, {"tag": "spending", "value": "no such value"})["count"] == "<10"


def test_the_sample_holds_members_with_their_layer(sample_api: Api) -> None:
    sample = preview(sample_api, {"layer": "private"}, sample=3)["sample"]
    assert len(sample) == 3
    assert {member["layer"] for member in sample} == {"private"}
    assert {member["one_id"] for member in sample} <= set(CROWD)


def test_a_sample_can_be_left_out(sample_api: Api) -> None:
    assert preview(sample_api, {"layer": "private"}, sample=0)["sample"] == []


def test_a_restricted_key_counts_only_people_in_sight(published: World) -> None:
    assert preview(published.api(restrict={"brand": ["brandB"]}), {"tag": "spending", "value": "low"})["count"] == "<10"


def test_an_unknown_tag_is_refused_with_the_way_to_the_known_ones(sample_api: Api) -> None:
    document = preview(sample_api, {"tag": "no such tag"})
    assert (document["status"], document["hint"]) == (422, "allowed: GET /v1/segments/vocabulary")


@pytest.mark.parametrize(
    "where",
    [
        None,
        {},
        {"and": []},
        {"and": {"tag": "spending"}},
        {"or": [{"unknown": 1}]},
        {"not": []},
        {"tag": ""},
        {"tag": "spending", "value": "low", "in": ["low"]},
        {"feature": "net_fen"},
        {"feature": "net_fen", "gte": True},
        {"feature": "net_fen", "gte": "many"},
        {"feature": "no such feature", "gte": 1},
        {"layer": "no such layer"},
        {"tag": "spending", "and": [{"tag": "spending"}]},
    ],
    ids=str,
)
def test_a_condition_of_another_form_is_refused(sample_api: Api, where: Any) -> None:
    answer = sample_api.post("/v1/segments/preview", {"where": where})
    assert answer.status_code == 422


def test_a_condition_nested_too_deeply_is_refused(sample_api: Api) -> None:
    where: Any = {"tag": "spending"}
    for _ in range(12):
        where = {"not": where}
    assert "levels" in preview(sample_api, where)["detail"]


def test_a_condition_nested_beyond_all_bounds_is_refused(sample_api: Api) -> None:
    body = '{"where":' + '{"not":' * 5_000 + '{"tag":"spending"}' + "}" * 5_001
    answer = sample_api.ask("POST", "/v1/segments/preview", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)


def test_too_many_conditions_are_refused(sample_api: Api) -> None:
    where = {"and": [{"or": [{"tag": "spending"}] * 50}] * 3}
    assert "conditions" in preview(sample_api, where)["detail"]


def test_the_vocabulary_lists_what_can_be_asked(sample_api: Api) -> None:
    document = sample_api.get("/v1/segments/vocabulary").json()
    assert document["layers"] == ["friend", "private", "public"]
    assert document["tags"] == [
        {"tag": "region", "value": "east", "count": "<10"},
        {"tag": "spending", "value": "high", "count": "<10"},
        {"tag": "spending", "value": "low", "count": len(CROWD) + 1},
    ]
    assert {row["feature"]: row["kind"] for row in document["features"]} == {
        "is_member": "bool",
        "last_paid_at": "int",
        "net_fen": "int",
    }


def test_counts_equal_the_tags_table(sample_api: Api) -> None:
    rows = tag_rows()
    low = {row["one_id"] for row in rows if row["value"] == "low"}
    assert preview(sample_api, {"tag": "spending", "in": ["low"]})["count"] == len(low)

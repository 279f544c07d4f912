"""The commands about people, on a lake that was stitched in this process: what they say, change and refuse."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from identity.policy import Policy
from pipelines.cli import main
from pipelines.cli.common import settings_of
from pipelines.cli.people import changes_text, decisions_in, reader_of
from pipelines.errors import ExitCode
from pipelines.keys import create_keys, load_keys
from pipelines.questions import question_text, with_choices
from pipelines.store.versions import rows_of
from tests.pipelines.jobs.identity_lake import IdentityLake

CONF = Path(__file__).resolve().parents[3] / "conf"
DAY = "2025-03-01"
PLACEHOLDER = "13800138000"
ANNA, BERT, SHARED = "wx_unionid:op:uAnna", "wx_unionid:op:uBert", "13912345678"
Say = Callable[..., Any]
Words = tuple[str, ...]


def link(name: str, *ids: tuple[str, str, str, str]) -> dict[str, Any]:
    """One observation of identifiers (namespace, scope, value, role)."""
    stated = [{"namespace": ns, "scope": scope, "value": value, "role": role} for ns, scope, value, role in ids]
    moment = f"{DAY}T10:00:00+08:00"
    return {"observation_id": name, "source": "pos", "kind": "link", "event_time": moment, "ids": stated}


ROWS = [
    link("1", ("wx_unionid", "op", "uAnna", ""), ("wx_openid", "app", "oAnna", "")),
    link("2", ("wx_openid", "app", "oAnna", ""), ("phone", "", SHARED, "verified")),
    link("3", ("wx_unionid", "op", "uBert", ""), ("wx_openid", "app", "oBert", "")),
    link("4", ("wx_openid", "app", "oBert", ""), ("phone", "", SHARED, "verified")),
    link("5", ("doudian_open_id", "key", "dAnna", ""), ("phone", "", "13712345679", "verified")),
    link("6", ("doudian_open_id", "key", "dAnna", ""), ("phone", "", PLACEHOLDER, "verified")),
    link("7", ("wx_openid", "app", "oBert", ""), ("phone", "", PLACEHOLDER, "verified")),
]


@pytest.fixture(scope="module")
def stitched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stitched lake of two people who share a number, and a third who bought on Douyin."""
    home = tmp_path_factory.mktemp("stitched")
    shutil.copytree(CONF, home / "conf")
    create_keys(home / "keys")
    policy = Policy.load(home / "conf" / "identity.yaml")
    IdentityLake(home, policy, keys=load_keys(home / "keys")).feed(ROWS, DAY)
    return home


@pytest.fixture
def home(stitched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that lake for the test alone."""
    shutil.copytree(stitched, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("CDP_HOME", str(tmp_path))
    monkeypatch.setenv("CDP_CONF", str(tmp_path / "conf"))
    return tmp_path


@pytest.fixture
def cdp(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Runs a command and gives its JSON; the exit code has to be the one expected."""

    def run(*words: str, code: ExitCode | int = 0) -> Any:
        monkeypatch.setattr("sys.argv", ["cdp", *words, "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert int(ended.value.code or 0) == int(code), err
        assert SHARED not in out + err
        return json.loads(out) if not code else json.loads(err.strip().splitlines()[-1])

    return run


def one_ids(cdp: Say, *identifiers: str) -> list[str | None]:
    return [row["one_id"] for row in cdp("identity", "lookup", *identifiers)]


def test_a_contested_number_belongs_to_nobody_and_names_its_candidates(home: Path, cdp: Say) -> None:
    number, anna, bert = cdp("identity", "lookup", SHARED, ANNA, BERT)
    assert (number["one_id"], sorted(number["candidates"])) == (None, sorted([anna["one_id"], bert["one_id"]]))


def test_identifiers_of_a_file_are_looked_up_in_its_order(home: Path, cdp: Say) -> None:
    (home / "list.txt").write_text(f"{BERT}\n\n{ANNA}\n", encoding="utf-8")
    found = cdp("identity", "lookup", "--file", str(home / "list.txt"))
    assert [row["one_id"] for row in found] == one_ids(cdp, BERT, ANNA)


@pytest.mark.parametrize(
    "words",
    [
        ("identity", "lookup", ANNA, "--at", "2025-3-1"),
        ("identity", "lookup", ANNA, "--known-at", "yesterday"),
        ("identity", "explain", ANNA, BERT, "--at", "2025-02-30"),
        ("steward", "detach", "wx_openid:app:oAnna", "--actor", "li", "--reason", "x", "--as-of", "2025-13-01"),
    ],
)
def test_a_day_that_is_none_is_a_usage_error_and_nothing_is_decided(home: Path, cdp: Say, words: Words) -> None:
    assert "YYYY-MM-DD" in cdp(*words, code=ExitCode.USAGE)["message"]
    assert cdp("steward", "list") == []


def test_two_questions_about_a_day_at_once_are_refused(home: Path, cdp: Say) -> None:
    refused = cdp("identity", "lookup", ANNA, "--at", DAY, "--known-at", DAY, code=ExitCode.USAGE)
    assert "--known-at" in refused["hint"]


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_a_faulty_policy_is_a_usage_error_that_names_file_and_key(home: Path, cdp: Say, command: str) -> None:
    (home / "other.yaml").write_text("hub: {max_acounts: 3}", encoding="utf-8")
    refused = cdp("identity", command, "--policy", str(home / "other.yaml"), code=ExitCode.USAGE)
    assert refused["where"] == str(home / "other.yaml")
    assert "hub.max_acounts: received 'an unknown key', allowed: max_accounts" in refused["message"]
    assert "cdp identity diff" in refused["hint"]


def test_explain_names_the_limit_that_keeps_two_apart(home: Path, cdp: Say) -> None:
    told = cdp("identity", "explain", ANNA, BERT)
    assert told["linked"] is False
    assert "wx_unionid" in json.dumps(told)


def test_a_refused_value_explains_itself_by_its_rule_and_rows_but_not_by_itself(home: Path, cdp: Say) -> None:
    douyin = "doudian_open_id:key:dAnna"
    (direct,) = cdp("identity", "explain", douyin, PLACEHOLDER)["refused"]
    assert (direct["link"][0], direct["rule"], direct["observations"]) == (douyin, "reject_value", ["6"])
    shared = cdp("identity", "explain", douyin, "wx_openid:app:oBert")
    told = [(link["link"][0], link["rule"], link["observations"]) for link in shared["refused"]]
    assert told == [(douyin, "reject_value", ["6"]), ("wx_openid:app:oBert", "reject_value", ["7"])]
    assert {link["link"][1] for link in shared["refused"]} == {direct["link"][1]}
    (unseen,) = cdp("identity", "explain", "nope:x:13712345679", ANNA)["refused"]
    assert (unseen["rule"], unseen["observations"]) == ("undeclared_namespace", [])
    assert not any(PLACEHOLDER in str(one) or "13712345679" in str(one) for one in (direct, shared, unseen))


def test_the_report_counts_and_a_stitched_lake_proves_itself(home: Path, cdp: Say) -> None:
    figures = {row["metric"]: row["value"] for row in cdp("identity", "report") if not row["dimension"]}
    assert (figures["persons"], figures["contested"]) == (3, 1)
    assert cdp("identity", "verify") == []


def test_the_report_tells_both_measures_over_all_true_and_all_reachable_pairs(
    home: Path, cdp: Say, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = home / "truth"
    refused = cdp("identity", "report", "--truth", str(truth), code=ExitCode.USAGE)
    assert (refused["where"], "identifiers.jsonl" in refused["message"]) == (str(truth), True)
    anna = [("wx_unionid", "op", "uAnna"), ("wx_openid", "app", "oAnna"), ("doudian_open_id", "key", "dAnna")]
    named = [dict(zip(("namespace", "scope", "value"), one, strict=True)) | {"person": "anna"} for one in anna]
    truth.mkdir()
    (truth / "identifiers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in named), encoding="utf-8")
    (truth / "reachable_pairs.jsonl").write_text(json.dumps({"identifiers": anna[:2]}) + "\n", encoding="utf-8")
    told = cdp("identity", "report", "--truth", str(truth))
    figures = {row["dimension"]: row["value"] for row in told if row["metric"] == "accuracy"}
    assert figures["all.pairwise.precision"] == figures["all.b_cubed.precision"] == 1
    assert figures["all.pairwise.recall"] == pytest.approx(1 / 3)
    assert figures["all.b_cubed.recall"] == pytest.approx(5 / 9)
    assert figures["reachable.pairwise.recall"] == figures["reachable.b_cubed.f1"] == figures["recall"] == 1
    monkeypatch.setattr("sys.argv", ["cdp", "identity", "report", "--truth", str(truth)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, "all.pairwise.recall" in capsys.readouterr().out) == (0, True)


def test_another_policy_is_weighed_applied_and_taken_back(home: Path, cdp: Say) -> None:
    other = home / "other.yaml"
    text = (home / "conf" / "identity.yaml").read_text(encoding="utf-8")
    other.write_text(text.replace("policy: hold ", "policy: last ", 1), encoding="utf-8")
    before = one_ids(cdp, ANNA, BERT, SHARED)
    weighed = cdp("identity", "diff", "--policy", str(other))
    assert (weighed["merges"], weighed["splits"], len(weighed["owners"])) == ([], [], 1)
    cdp("identity", "apply", "--policy", str(other))
    (winner,) = one_ids(cdp, SHARED)
    assert winner in before[:2]
    assert (weighed["owners"][0]["before"], weighed["owners"][0]["after"]) == (None, winner)
    assert cdp("identity", "verify") == []
    cdp("identity", "rollback")
    assert one_ids(cdp, ANNA, BERT, SHARED) == before
    assert cdp("identity", "rollback", code=ExitCode.USAGE)["code"] == ExitCode.USAGE


def test_a_policy_that_takes_an_owner_away_says_whose(home: Path, cdp: Say) -> None:
    held, other = home / "conf" / "identity.yaml", home / "other.yaml"
    text = held.read_text(encoding="utf-8")
    other.write_text(text.replace("policy: hold ", "policy: last ", 1), encoding="utf-8")
    cdp("identity", "apply", "--policy", str(other))
    (holder,) = one_ids(cdp, SHARED)
    back = home / "back.yaml"
    back.write_text(text, encoding="utf-8")
    assert cdp("identity", "diff", "--policy", str(other)) == {"merges": [], "splits": [], "owners": []}
    (lost,) = cdp("identity", "diff", "--policy", str(back))["owners"]
    assert (lost["before"], lost["after"]) == (holder, None)
    assert lost["identifier"].startswith("phone::")


def test_found_and_lost_owners_are_lines_of_the_text() -> None:
    changes: dict[str, Any] = {"merges": [], "splits": [], "owners": []}
    assert changes_text(changes) == "nobody would be merged or split, and no owner found or lost"
    owners = [
        {"identifier": "phone::a", "before": None, "after": "x"},
        {"identifier": "b", "before": "y", "after": None},
    ]
    assert changes_text(changes | {"owners": owners}) == "owner  phone::a: nobody -> x\nowner  b: y -> nobody"


def test_a_must_link_is_previewed_recorded_and_revoked(home: Path, cdp: Say) -> None:
    words = ("steward", "must-link", ANNA, "doudian_open_id:key:dAnna", "--actor", "li", "--reason", "called")
    anna, douyin = one_ids(cdp, ANNA, "doudian_open_id:key:dAnna")
    effect = cdp(*words, "--preview")
    assert {effect["merges"][0]["one_id"], *effect["merges"][0]["others"]} == {anna, douyin}
    assert one_ids(cdp, ANNA, "doudian_open_id:key:dAnna") == [anna, douyin]
    decision = cdp(*words)["decision"]
    assert len(set(one_ids(cdp, ANNA, "doudian_open_id:key:dAnna"))) == 1
    assert [row["decision_id"] for row in cdp("steward", "list")] == [decision]
    cdp("steward", "revoke", decision, "--actor", "li", "--reason", "mistaken")
    assert one_ids(cdp, ANNA, "doudian_open_id:key:dAnna") == [anna, douyin]
    assert cdp("identity", "verify") == []


def test_a_decision_is_told_as_it_is_kept_and_a_revoked_one_is_not_called_in_force(
    home: Path, cdp: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (ANNA, "doudian_open_id:key:dAnna", "--actor", "li", "--reason", f"called {SHARED}")
    decision = cdp("steward", "must-link", *words)["decision"]
    step = cdp("identity", "explain", ANNA, "doudian_open_id:key:dAnna")["path"][0]
    assert step["decision"] == {"id": decision, "actor": "li", "reason": "called <phone>"}
    cdp("steward", "revoke", decision, "--actor", "jo", "--reason", f"{SHARED} said no")
    (row,) = cdp("steward", "list")
    assert (row["reason"], row["revoked_by"], row["revoked_reason"]) == ("called <phone>", "jo", "<phone> said no")
    again = cdp("steward", "revoke", decision, "--actor", "jo", "--reason", "x", code=ExitCode.POLICY)
    assert f"{decision}, which jo revoked on {DAY}" in again["message"]


def test_a_question_can_be_decided_by_the_token_that_it_shows(home: Path, cdp: Say) -> None:
    (question,) = cdp("steward", "queue")
    token = question["identifier"]
    assert cdp("identity", "lookup", token)[0]["candidates"] == question["candidates"]
    assert cdp("identity", "explain", ANNA, token)["refused"]
    cdp("steward", "must-link", ANNA, token, "--actor", "li", "--reason", "called")
    assert token not in [row["identifier"] for row in cdp("steward", "queue")]
    assert len(set(one_ids(cdp, ANNA, token, SHARED))) == 1
    assert cdp("identity", "lookup", f"phone::{'0' * 32}")[0]["status"] == "unknown"


def test_a_decision_against_a_limit_is_refused_and_nothing_is_recorded(home: Path, cdp: Say) -> None:
    refusal = cdp("steward", "must-link", ANNA, BERT, "--actor", "li", "--reason", "x", code=ExitCode.POLICY)
    assert "replace" in refusal["hint"]
    assert cdp("steward", "list") == []


def test_every_question_of_the_queue_tells_its_evidence(home: Path, cdp: Say) -> None:
    (question,) = cdp("steward", "queue")
    assert (question["kind"], len(question["candidates"])) == ("contested", 2)
    assert question["evidence"]
    anna, bert = one_ids(cdp, ANNA, BERT)
    choices = {choice["one_id"]: choice for choice in question["choices"]}
    assert set(choices) == {anna, bert}
    ours, theirs = choices[anna], choices[bert]
    assert [(link["identifier"], link["observations"]) for link in ours["for"]] == [("wx_openid:app:oAnna", ["pos/2"])]
    assert [(link["one_id"], link["observations"]) for link in ours["against"]] == [(bert, ["pos/4"])]
    assert ours["against"][0]["identifier"] == theirs["for"][0]["identifier"]


def test_a_question_is_decided_by_the_command_that_it_names(home: Path, cdp: Say) -> None:
    (question,) = cdp("steward", "queue")
    choice = question["choices"][0]
    assert choice["accept"].startswith("cdp steward must-link phone::")
    cdp(*shlex.split(choice["reject"])[1:], "--actor", "li", "--reason", "asked")
    assert question["identifier"] not in [row["identifier"] for row in cdp("steward", "queue")]
    (holder,) = one_ids(cdp, SHARED)
    assert holder == question["choices"][1]["one_id"]


def test_a_rival_claim_is_decided_about_the_buyers_strongest_id_where_nothing_links_the_two(
    home: Path, cdp: Say
) -> None:
    settings = settings_of(None)
    claimant, buyer = "wx_openid:app:oAnna", "doudian_open_id:key:dAnna"
    mine, theirs = one_ids(cdp, claimant, buyer)
    asked = {"kind": "rival_claim", "identifier": claimant, "candidates": sorted([mine, theirs]), "evidence": "{}"}
    (question,) = with_choices(reader_of(settings), decisions_in(settings), [asked], DAY)
    (choice,) = question["choices"]
    assert (choice["one_id"], choice["for"]) == (theirs, [])
    assert choice["accept"] == f"cdp steward must-link {claimant} {buyer}"
    assert "{}" in question_text(question)


def test_a_question_of_an_unknown_kind_is_a_usage_error(home: Path, cdp: Say) -> None:
    assert "rival_claim" in cdp("steward", "queue", "--kind", "contestd", code=ExitCode.USAGE)["hint"]


def test_the_queue_as_text_shows_evidence_for_and_against_and_the_commands(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["cdp", "steward", "queue"])
    with pytest.raises(SystemExit):
        main()
    text = capsys.readouterr().out
    assert "for      wx_openid:app:oAnna: contested:wx_unionid, pos/2, last seen 2025-03-01" in text
    assert "against  wx_openid:app:oBert: contested:wx_unionid, pos/4, last seen 2025-03-01 of " in text
    assert text.count("reject   cdp steward cannot-link phone::") == 2
    assert SHARED not in text


@pytest.mark.parametrize("form", ["graphml", "json"])
def test_the_graph_around_a_person_is_a_file_other_tools_read(home: Path, cdp: Say, form: str) -> None:
    file = home / f"anna.{form}"
    told = cdp("identity", "export", ANNA, "--out", str(file))
    text = file.read_text(encoding="utf-8")
    graph = nx.read_graphml(file) if form == "graphml" else nx.node_link_graph(json.loads(text))
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (told["nodes"], told["edges"])
    assert ANNA in graph.nodes
    assert SHARED not in text


def test_an_edited_row_of_the_map_is_found(home: Path, cdp: Say) -> None:
    from deltalake import DeltaTable

    DeltaTable(home / "lake" / "identity" / "oneid_map").update(
        updates={"one_id": "'ffffffffffffffffffffffff'"}, predicate="namespace = 'doudian_open_id'"
    )
    assert rows_of(home / "lake", "identity.oneid_map", "SELECT 1 FROM t WHERE one_id LIKE 'ffff%'")
    assert "rebuild would change" in cdp("identity", "verify", code=ExitCode.INTEGRITY)["message"]

"""Which kind of failure an answer is: decided by the platforms' codes, in every form in which they write them."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.connectors import douyin, tmall, wecom
from pipelines.connectors.errors import (
    BriefError,
    CodedError,
    PlatformError,
    RateLimitedError,
    RetryableError,
    RightRefusedError,
    TerminalError,
    TokenRefusedError,
    WindowError,
)


def kind_of(judge: Any, method: str, answer: dict[str, Any]) -> type[PlatformError] | None:
    try:
        judge(method, answer)
    except PlatformError as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"code": 10000}, None),
        ({"code": '"10000"'}, None),
        ({"code": None, "err_no": 0}, None),
        ({"err_no": "0"}, None),
        ({"code": 10001}, RetryableError),
        ({"code": 20000}, RetryableError),
        ({"code": 20001}, RetryableError),
        ({"code": "90000", "sub_code": "dop.unknown-error"}, RetryableError),
        ({"code": 60000, "msg": "x"}, RateLimitedError),
        ({"err_no": 60000, "message": "x"}, RateLimitedError),
        ({"code": 20004}, BriefError),
        ({"code": 40003, "sub_code": "isv.business-failed:20005"}, BriefError),
        ({"code": 40003, "sub_code": "isv.parameter-invalid:20013"}, WindowError),
        ({"code": 30001}, RightRefusedError),
        ({"code": 40003, "sub_code": "isv.decrypt-quota-exhausted"}, RightRefusedError),
        ({"code": 40003}, TerminalError),
        ({"err_no": 30002, "message": "x"}, TokenRefusedError),
        ({}, TerminalError),
    ],
)
def test_codes_of_douyin(answer: dict[str, Any], kind: type[PlatformError] | None) -> None:
    assert kind_of(douyin.judge, "order.searchList", answer) is kind


@pytest.mark.parametrize(
    ("answer", "help_"),
    [
        ({"code": 30002, "sub_code": "isv.invalid_ip"}, "add this machine's address"),
        ({"code": 30001, "sub_code": "dop.authorization-closed"}, "let the shop authorise the app again"),
        ({"code": 50001, "sub_code": "dop.token-generate-failed:no-authorization"}, "let the shop authorise"),
        ({"code": 30001, "sub_code": "isv.app-permissions-insufficient"}, "grant the app this permission"),
        ({"code": 40003, "sub_code": "isv.signature-invalid"}, "check app key, secret and shop"),
    ],
)
def test_a_refusal_of_douyin_says_who_can_mend_it(answer: dict[str, Any], help_: str) -> None:
    with pytest.raises(TerminalError) as refused:
        douyin.judge("order.searchList", answer)
    assert refused.value.hint.startswith(help_)


def test_a_ban_of_tmall_is_waited_for_as_long_as_it_says() -> None:
    error = {"code": 7, "sub_code": "accesscontrol.limited-by-api-access-count"}
    with pytest.raises(RateLimitedError) as limited:
        tmall.judge("m", {"error_response": {**error, "sub_msg": "This ban will last for 40 more seconds"}})
    assert limited.value.wait == 41


def test_an_allowance_that_is_used_up_ends_the_pull_and_says_until_when() -> None:
    with pytest.raises(TerminalError) as refused:
        tmall.judge("m", {"error_response": {"code": 7, "sub_msg": "This ban will last for 40000 more seconds"}})
    assert refused.value.hint == "the app may call again in 40000 seconds; run `cdp pull` then"


def test_a_guard_that_refuses_decryption_is_a_missing_right() -> None:
    assert kind_of(douyin.judge, "order.batchDecrypt", {"code": 80000, "sub_code": "x"}) is RightRefusedError


def test_a_partial_decryption_is_an_answer() -> None:
    assert kind_of(douyin.judge, "order.batchDecrypt", {"code": 10001}) is None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": 7}, RateLimitedError),
        ({"code": "8", "msg": "App Call Exceeds Limited Frequency"}, RateLimitedError),
        ({"code": 7, "sub_msg": "This ban will last for 40000 more seconds"}, TerminalError),
        ({"code": 10}, RetryableError),
        ({"code": 15, "sub_code": "isp.remote-service-error"}, RetryableError),
        ({"code": 41, "sub_code": "isv.invalid-parameter"}, TerminalError),
        ({"code": 27, "sub_code": "isv.invalid-session"}, TerminalError),
    ],
)
def test_codes_of_tmall(error: dict[str, Any], kind: type[PlatformError]) -> None:
    assert kind_of(tmall.judge, "m", {"error_response": error}) is kind


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({}, None),
        ({"errcode": 0}, None),
        ({"errcode": "0"}, None),
        ({"errcode": "-1"}, RetryableError),
        ({"errcode": 45033}, RetryableError),
        ({"errcode": 45009}, RateLimitedError),
        ({"errcode": 42001}, TokenRefusedError),
        ({"errcode": 48002}, CodedError),
        ({"errcode": "odd"}, TerminalError),
        ({"errcode": [1]}, TerminalError),
    ],
)
def test_codes_of_wecom(answer: dict[str, Any], kind: type[PlatformError] | None) -> None:
    assert kind_of(wecom.judge, "m", answer) is kind


@pytest.mark.parametrize(
    ("judge", "answer"),
    [
        (douyin.judge, {"code": 40003, "sub_code": "isv.timestamp-invalid"}),
        (tmall.judge, {"error_response": {"code": 31, "sub_code": "isv.invalid-timestamp"}}),
    ],
)
def test_a_machine_whose_clock_is_wrong_is_told_so(judge: Any, answer: dict[str, Any]) -> None:
    with pytest.raises(TerminalError) as refused:
        judge("m", answer)
    assert refused.value.hint == "set the clock of this machine"

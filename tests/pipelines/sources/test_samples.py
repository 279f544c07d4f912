"""Every sample of the platforms' documentation is read by a test, or named here with the reason why it is no record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.sources import test_private_payloads as private
from tests.pipelines.sources import test_public_payloads as public

pytestmark = pytest.mark.reference

DICTIONARY = "taobao_field_dictionaries"
NO_RECORDS = {
    "wecom/callback_crypto_vectors.json": "vectors of the callbacks' cryptography: tests/serving/contract",
    f"{DICTIONARY}/mei/tmall_mei_crm_member_getbypaycode.json": "a question of the till about one pay code, not stored",
    f"{DICTIONARY}/miniappopen/taobao_miniapp_distribution_order_get.json": "commissions of distributors, no customers",
    f"{DICTIONARY}/nrt/tmall_nrt_member_openid.json": "answers one id of a till's visitor to the till that asked",
    f"{DICTIONARY}/nrt/tmall_nrt_member_synchronize.json": "what the merchant sends; the answer holds no facts",
    f"{DICTIONARY}/tbtrade/taobao_top_oaid_merge.json": "groups parcels of one receiver: no person id",
    f"{DICTIONARY}/tbtrade/taobao_trade_amount_get.json": "amounts of a trade, all of which the trade itself names",
    f"{DICTIONARY}/tbuser/taobao_user_buyer_get.json": "the nick and picture of the app's own user",
    f"{DICTIONARY}/tbuser/taobao_user_openuid_getbynick.json": "nicks are masked: they lead to nobody",
    f"{DICTIONARY}/tbuser/taobao_user_openuid_getbyorder.json": "the buyer_open_uid that the trade itself names",
}
"""Samples that are no records of a feed, with the reason."""

ELSEWHERE = {
    "wecom/CgibinExternalContactGetFollowUserListResponse.json",
    f"{DICTIONARY}/mei/tmall_mei_crm_member_sync.json",
    f"{DICTIONARY}/tbtrade/taobao_top_oaid_decrypt.json",
}
"""Read by a test of its own."""


def covered() -> set[str]:
    read = {name for name, *_ in private.ANSWERS} | {f"wecom/{name}" for name in private.XML}
    read |= {f"douyin_shop/{name}.json" for name, *_ in public.ANSWERS}
    read |= {f"douyin_shop/{name}.json" for name in (*public.EVENTS, *public.REFUND_EVENTS)}
    return read | {f"{DICTIONARY}/{name}.json" for name, *_ in public.DICTIONARIES} | ELSEWHERE


def test_no_sample_is_forgotten(shared_data: Path) -> None:
    folder = shared_data / "payloads"
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    answers = {name for name in present if not name.endswith("Request.json")}
    assert answers == covered() | set(NO_RECORDS)
    assert covered().isdisjoint(NO_RECORDS)

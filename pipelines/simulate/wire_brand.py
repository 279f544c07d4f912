"""The brand's own feeds, which no platform defines: their forms are documented in docs/landing-own-feeds.md."""

from typing import Any

from pipelines.simulate.brand import BRAND
from pipelines.simulate.orders import Phase, Stage

Json = dict[str, Any]

STATUS = {
    Phase.CREATED: "created",
    Phase.PAID: "paid",
    Phase.SHIPPED: "shipped",
    Phase.FINISHED: "finished",
    Phase.CANCELLED: "cancelled",
    Phase.CLOSED: "closed",
}
REFUND_STATUS = {Stage.SUCCESS: "success", Stage.REFUSED: "refused", Stage.FAILED: "refused", Stage.WITHDRAWN: "closed"}


def registration(name: str, at: int, member_id: str, phone: str) -> Json:
    """A member registration of the customer system: membership number and verified phone."""
    return {
        "observation_id": name,
        "source": "crm",
        "kind": "link",
        "event_time": at * 1000,
        "ids": [
            {"namespace": "member_id", "scope": BRAND, "value": member_id},
            {"namespace": "phone", "value": phone, "role": "verified"},
        ],
    }

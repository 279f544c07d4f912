"""The brand that all the simulated people deal with: its shops, apps, corps, stores, guides and goods."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pipelines.simulate.chance import Weighted, between, pick, stream
from pipelines.simulate.clock import DAY, HOUR, Clock
from pipelines.simulate.config import SimulationConfig
from pipelines.simulate.ids import IdFactory
from pipelines.simulate.names import SURNAMES, full_name

BRAND = "demo_brand"
MIX_KEY = "demo_key"
SUITE_ID = "ww5u1te00000000001"
PROVIDER_PLATFORM = "op_provider_01"


class DouyinShop(NamedTuple):
    """A shop on Douyin; buyer ids belong to the app key, which several shops may share."""

    app_key: str
    shop_id: int
    name: str


class TmallShop(NamedTuple):
    """A shop on Tmall; ouids belong to the seller, buyer_open_uids to the app key."""

    app_key: str
    shop_id: str
    seller_nick: str


class MiniProgram(NamedTuple):
    """A WeChat mini-program and the open-platform account its unionids belong to."""

    app_id: str
    open_platform_id: str


class Corp(NamedTuple):
    """A WeCom corp; `wp...` is an encrypted id, as service providers see it."""

    corp_id: str
    open_platform_id: str


class Store(NamedTuple):
    """A store of the brand with a till of its own."""

    store_id: str
    name: str
    region: str


class Product(NamedTuple):
    """One sellable unit and the numbers each platform knows it by."""

    brand_sku: str
    name: str
    category: str
    price_fen: int
    douyin_product_id: int
    douyin_sku_id: int
    tmall_num_iid: int
    tmall_sku_id: str


@dataclass(frozen=True, slots=True)
class Guide:
    """A shop assistant who befriends customers; `left_day` is the day of the window on which they resign."""

    index: int
    corp: int
    userid: str
    name: str
    store: Store
    hired_at: int
    left_day: int | None


DOUYIN_SHOPS = (
    DouyinShop("7000001", 4463798, "示例旗舰店"),
    DouyinShop("7000001", 4463799, "示例专卖店"),
    DouyinShop("7000002", 5571234, "示例家居店"),
)
DOUYIN_APP_KEYS = ("7000001", "7000002")
DOUYIN_APP = MiniProgram("tt0a1b2c3d4e5f6789", "dy_developer_01")
TMALL_SHOPS = (
    TmallShop("21000001", "100200301", "示例旗舰店"),
    TmallShop("21000001", "100200302", "示例家居专营店"),
)
MINI_PROGRAMS = (
    MiniProgram("wx0000000000000001", "op_brand_01"),
    MiniProgram("wx0000000000000002", PROVIDER_PLATFORM),
)
CORPS = (
    Corp("ww0000000000000001", "op_brand_01"),
    Corp("wpDemoEncryptedCorpAAAA0001", "op_brand_01"),
)
CATEGORIES = (
    ("护肤", 9_900, 59_900),
    ("彩妆", 4_900, 29_900),
    ("母婴", 3_900, 39_900),
    ("零食", 990, 9_900),
    ("家居", 2_900, 89_900),
    ("服饰", 7_900, 69_900),
)
REGIONS = ("华东", "华南", "华北", "西南")
PRODUCTS_PER_CATEGORY = 20
PEOPLE_PER_GUIDE = 250
GUIDES_PER_STORE = 6
MALL_SHOP_ID = "mall-01"


class Brand:
    """The brand's side of the world; depends on the settings only."""

    def __init__(self, config: SimulationConfig) -> None:
        self.config = config
        self.clock = Clock(config.start, config.days)
        self.ids = IdFactory(config.seed)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The catalogue: some twenty goods per category."""
        rng = stream(self.config.seed, "products")
        goods = []
        for group, (category, low, high) in enumerate(CATEGORIES):
            for nth in range(PRODUCTS_PER_CATEGORY):
                number = group * PRODUCTS_PER_CATEGORY + nth
                price = between(rng, low, high) // 100 * 100 + pick(rng, (0, 90, 99, 50))
                goods.append(_product(number, f"示例{category}{nth + 1:02d}号", category, price))
        return tuple(goods)

    @cached_property
    def taste(self) -> Weighted[Product]:
        """Goods by popularity: a few sell most."""
        order = list(self.products)
        stream(self.config.seed, "taste").shuffle(order)
        return Weighted([(product, 1.0 / (rank + 3)) for rank, product in enumerate(order)])

    @cached_property
    def guides(self) -> tuple[Guide, ...]:
        """All guides; each store has guides in both corps, and one in ten resigns in the window."""
        rng = stream(self.config.seed, "guides")
        count = max(2 * GUIDES_PER_STORE, self.config.people // PEOPLE_PER_GUIDE)
        return tuple(self._guide(index, rng.random(), rng.random()) for index in range(count))

    def _guide(self, index: int, fate: float, history: float) -> Guide:
        rng = stream(self.config.seed, "guide", index)
        within = index % GUIDES_PER_STORE
        # The last guide of each corp in a store stays, so that every leaver has a successor.
        # One guide leaves in every world, so that no reader goes without a hand-over.
        leaves = ((fate < 0.2 and within in (0, 1, 2)) or index == 1) and self.config.days >= 4
        return Guide(
            index=index,
            corp=0 if within % 3 else 1,
            userid=f"guide{index:05d}",
            name=full_name(rng, pick(rng, SURNAMES)),
            store=self.store(index // GUIDES_PER_STORE),
            hired_at=self.clock.start - int(30 + history * 900) * DAY,
            left_day=between(rng, 1, max(2, self.config.days * 3 // 4)) if leaves else None,
        )

    @staticmethod
    def store(number: int) -> Store:
        """The nth store."""
        region = REGIONS[number % len(REGIONS)]
        return Store(f"S{number + 1:04d}", f"示例{region}{number + 1}店", region)

    def guides_of(self, cell: int, corp: int) -> list[Guide]:
        """The guides of the corp in the store that serves the cell's people; never empty."""
        stores = max(1, len(self.guides) // GUIDES_PER_STORE)
        first = (cell % stores) * GUIDES_PER_STORE
        return [guide for guide in self.guides[first : first + GUIDES_PER_STORE] if guide.corp == corp]

    def left_at(self, guide: Guide) -> int | None:
        """The moment the guide leaves: in the evening of the day on which they resign."""
        return None if guide.left_day is None else self.clock.midnight(guide.left_day) + 18 * HOUR

    def is_there(self, guide: Guide, moment: int) -> bool:
        """Whether the guide has not left yet."""
        left = self.left_at(guide)
        return left is None or moment < left

    def posts_of(self, guide: Guide) -> list[int]:
        """When the guide posts a moment: once a week in the morning, as long as they are there."""
        last = self.clock.days if guide.left_day is None else guide.left_day
        return [self.clock.midnight(day) + 10 * HOUR for day in range(guide.index % 7, last, 7)]

    @cached_property
    def ordering_phones(self) -> tuple[str, ...]:
        """Numbers of the few assistants who type their own number into customers' orders."""
        count = max(1, round(self.config.people * self.config.avg_orders_per_person * 0.00003))
        return tuple(self.ids.staff_mobile(number) for number in range(count))


def _product(number: int, name: str, category: str, price: int) -> Product:
    return Product(
        brand_sku=f"SKU-{number + 1:04d}",
        name=name,
        category=category,
        price_fen=price,
        # Above 2^53, so that a reader that rounds is found out.
        douyin_product_id=3_660_207_428_038_974_001 + number * 1_000_003,
        douyin_sku_id=1_751_234_567_890_123 + number * 7_919,
        tmall_num_iid=712_345_678_901 + number * 104_729,
        tmall_sku_id=str(5_123_456_789_012 + number * 15_485_863),
    )

"""Identifiers in the shapes the platforms give them: unique, stable by seed, and without meaning."""

from base64 import b64encode, urlsafe_b64encode
from hashlib import blake2b, md5
from random import Random

_TAIL = 10**8
# Mobile prefixes in use, without 138 (the well-known test number) and 184 (the platforms' privacy numbers).
_PREFIXES = (
    *("130", "131", "132", "133", "135", "136", "137", "139", "150", "151", "152", "155", "157", "158", "159"),
    *("166", "170", "171", "173", "176", "177", "178", "180", "181", "182", "183", "185", "186", "187", "188"),
    *("189", "191", "195", "198", "199"),
)
_SPACE = len(_PREFIXES) * _TAIL
_STEP = 1_857_483_611  # prime to the space, so that neighbours get unlike numbers and no two get the same
_ODD = 0x9E3779B97F4A7C15
_MASK_59 = (1 << 59) - 1

PHONES_PER_PERSON = 4
_STAFF_PHONES_FROM = 3_000_000_000

LONG_ID_BASES = {
    "douyin_order": 6_300_000_000_000_000_000,
    "tmall_trade": 4_100_000_000_000_000_000,
    "douyin_aftersale": 7_100_000_000_000_000_000,
}


class IdFactory:
    """Every identifier of the world as a pure function of the seed, the kind and a number."""

    def __init__(self, seed: int) -> None:
        self._key = blake2b(str(seed).encode(), digest_size=16).digest()
        self._offset = int.from_bytes(self._key[:6], "big")

    def _digest(self, kind: str, scope: str, number: int, size: int) -> bytes:
        return blake2b(f"{kind}:{scope}:{number}".encode(), key=self._key, digest_size=size).digest()

    def text(self, kind: str, scope: str, number: int, length: int) -> str:
        """`length` characters of the URL-safe alphabet that platforms write account ids in."""
        return urlsafe_b64encode(self._digest(kind, scope, number, 48))[:length].decode()

    def alphanumeric(self, kind: str, scope: str, number: int, length: int) -> str:
        """`length` letters and digits."""
        return self.text(kind, scope, number, length).replace("-", "x").replace("_", "Z")

    def base64(self, kind: str, scope: str, number: int, size: int) -> str:
        """`size` bytes as base64 with its padding."""
        return b64encode(self._digest(kind, scope, number, size)).decode()

    def openid(self, app_id: str, person: int) -> str:
        """A WeChat openid: 28 characters, one per app and person."""
        return "o" + self.text("openid", app_id, person, 27)

    def unionid(self, open_platform_id: str, person: int) -> str:
        """A WeChat unionid: 28 characters, one per open-platform account and person."""
        return "o" + self.text("unionid", open_platform_id, person, 27)

    def external_userid(self, corp_id: str, person: int) -> str:
        """A WeCom contact id: `wm` and 30 characters, one per corp and person."""
        return "wm" + self.text("external", corp_id, person, 30)

    def doudian_open_id(self, app_key: str, person: int) -> str:
        """A Douyin shop buyer id in one of its two forms, one per app key and person."""
        body = self.base64("doudian", app_key, person, 30)
        return f"1@#{body}=" if person % 3 else f"#{body}="

    def open_uid(self, app_key: str, person: int) -> str:
        """A Taobao buyer id, one per app key and person."""
        return "AAH" + self.text("open_uid", app_key, person, 21)

    def mobile(self, slot: int) -> str:
        """An eleven-digit mobile number no other slot has.

        >>> ids = IdFactory(7)
        >>> len({ids.mobile(slot) for slot in range(10_000)})
        10000
        """
        prefix, tail = divmod((slot * _STEP + self._offset) % _SPACE, _TAIL)
        return f"{_PREFIXES[prefix]}{tail:08d}"

    def mobile_of(self, person: int, nth: int) -> str:
        """The person's nth number (0 to 2); 3 is the number of somebody outside the world they know."""
        return self.mobile(person * PHONES_PER_PERSON + nth)

    def staff_mobile(self, number: int) -> str:
        """The number of a shop assistant who orders for customers."""
        return self.mobile(_STAFF_PHONES_FROM + number)


def long_id(kind: str, number: int) -> int:
    """A 64-bit number above 2^53, different for each number of a kind.

    >>> len({long_id("tmall_trade", n) for n in range(1000)})
    1000
    """
    return LONG_ID_BASES[kind] + ((number * _ODD) & _MASK_59)


def mix_mobile(mobile: str, key: str) -> str:
    """Tmall's keyed form of a member's number.

    >>> mix_mobile("13912345678", "demo_key")
    '52164cc782f7af83d62d2cfe07a910bb'
    """
    inner = md5(f"tmall{mobile}{key}".encode(), usedforsecurity=False).hexdigest()
    return md5(inner.encode(), usedforsecurity=False).hexdigest()


def mask_douyin(mobile: str) -> str:
    """The e-commerce mask: first digit and last two.

    >>> mask_douyin("13912345678")
    '1********78'
    """
    return f"{mobile[0]}{'*' * (len(mobile) - 3)}{mobile[-2:]}"


def mask_tmall(mobile: str) -> str:
    """The trade mask: last four digits.

    >>> mask_tmall("13912345678")
    '*******5678'
    """
    return "*" * (len(mobile) - 4) + mobile[-4:]


def noise(rng: Random, size: int) -> str:
    """Base64 of random bytes: a ciphertext nobody can compare with the next one."""
    return b64encode(rng.getrandbits(size * 8).to_bytes(size, "big")).decode()


def virtual_number(rng: Random) -> str:
    """A privacy number with its extension, as decryption returns it."""
    return f"184{int(rng.random() * 10**8):08d}-{int(1000 + rng.random() * 9000)}"

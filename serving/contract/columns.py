"""Sets of people as bitmaps and numeric features as arrays, collected while the rows of a snapshot are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from serving.contract.packing import Numbers, pack_numbers

BitmapKey = tuple[str, str, str]


class BitmapBuilder:
    """Bitmaps by (kind, name, value), filled from columns."""

    def __init__(self, existing: dict[BitmapKey, BitMap] | None = None) -> None:
        self._bitmaps: dict[BitmapKey, BitMap] = dict(existing or {})

    def remove(self, people: BitMap) -> None:
        """No bitmap holds any of these people any more."""
        for bitmap in self._bitmaps.values():
            bitmap -= people

    def add(self, key: BitmapKey, people: Iterable[int]) -> None:
        """The bitmap holds these people too."""
        self._bitmaps.setdefault(key, BitMap()).update(people)

    def add_column(self, kind: str, *, names: pa.Array, values: pa.Array, people: Sequence[int]) -> None:
        """Each person joins the bitmap of the name and value in the same row."""
        name_codes, value_codes = names.dictionary_encode(), values.dictionary_encode()
        width = len(value_codes.dictionary)
        codes = name_codes.indices.to_numpy().astype(np.int64) * width + value_codes.indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        members = np.asarray(people, dtype=np.uint32)[order]
        groups, starts = np.unique(codes[order], return_index=True)
        name_words, value_words = name_codes.dictionary.to_pylist(), value_codes.dictionary.to_pylist()
        for group, part in zip(groups.tolist(), np.split(members, starts[1:]), strict=True):
            self.add((kind, name_words[group // width], value_words[group % width]), part.tolist())

    def rows(self) -> list[tuple[str, str, str, int, bytes]]:
        """Rows of the table `bitmaps`, sorted, without empty ones."""
        filled = [(key, bitmap) for key, bitmap in sorted(self._bitmaps.items()) if bitmap]
        for _, bitmap in filled:
            bitmap.run_optimize()
        return [(*key, len(bitmap), bitmap.serialize()) for key, bitmap in filled]


def number_kind(dtype: pa.DataType) -> str | None:
    """How an Arrow type is stored as numbers; None when it is no number."""
    tests: tuple[tuple[str, Callable[[pa.DataType], bool]], ...] = (
        ("bool", pa.types.is_boolean),
        ("int", pa.types.is_integer),
        ("float", lambda t: bool(pa.types.is_floating(t) or pa.types.is_decimal(t))),
        ("time", pa.types.is_timestamp),
        ("date", pa.types.is_date),
    )
    return next((kind for kind, test in tests if test(dtype)), None)


def as_numbers(array: pa.Array) -> Numbers:
    """A column as float64 with NaN for null: times as epoch ms, dates as days since 1970-01-01, flags as 0 and 1."""
    dtype = array.type
    if pa.types.is_timestamp(dtype):
        array = array.cast(pa.timestamp("ms", tz=dtype.tz), safe=False).cast(pa.int64())
    elif pa.types.is_date(dtype):
        array = array.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_boolean(dtype):
        array = array.cast(pa.int8())
    numbers: Numbers = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


class FeatureArrays:
    """Numeric features by name as arrays of one length."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._arrays: dict[str, Numbers] = {}
        self._kinds: dict[str, str] = {}

    def keep(self, name: str, *, kind: str, numbers: Numbers) -> None:
        """The feature starts with the numbers of an earlier snapshot, longer ones filled with NaN."""
        fresh = np.full(self.length, math.nan)
        fresh[: len(numbers)] = numbers
        self._arrays[name], self._kinds[name] = fresh, kind

    def clear(self, people: Sequence[int]) -> None:
        """No feature has a value for these people."""
        for array in self._arrays.values():
            array[list(people)] = math.nan

    def put(self, name: str, column: pa.Array, *, people: Sequence[int]) -> None:
        """The feature has the column's values for these people; a column that holds no numbers is passed over."""
        kind = number_kind(column.type)
        if kind is None:
            return
        if name not in self._arrays:
            self._arrays[name] = np.full(self.length, math.nan)
        self._kinds[name] = kind
        self._arrays[name][list(people)] = as_numbers(column)

    @property
    def names(self) -> list[str]:
        """Names of all features, sorted."""
        return sorted(self._arrays)

    def rows(self, group_of: Callable[[str], str]) -> list[tuple[str, str, str, bytes]]:
        """Rows of the table `feature_columns`, sorted by name."""
        return [
            (name, group_of(name), self._kinds[name], pack_numbers(array))
            for name, array in sorted(self._arrays.items())
        ]

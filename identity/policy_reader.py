"""Typed reading of plain configuration data: every refusal names the key, what was received and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from identity.errors import PolicyError


class _Loader(yaml.CSafeLoader):
    """Safe YAML in which a key stands once: of two, the first would be dropped without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        """The mapping of a node; a key that stands twice is refused with its line."""
        seen: set[object] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:str":
                if key_node.value in seen:
                    line = key_node.start_mark.line + 1
                    raise PolicyError(key_node.value, f"twice, again in line {line}", "each key once")
                seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, an empty one as no keys; raises PolicyError for one that cannot be read."""
    try:
        content = path.read_text(encoding="utf-8")
        data = yaml.load(content, Loader=_Loader)
    except OSError as error:
        raise PolicyError("the file", error.strerror or "nothing", "a file that can be read") from None
    except UnicodeDecodeError:
        raise PolicyError("the file", "another encoding", "UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # At the end of a file libyaml names the line behind it.
        place = "the whole" if mark is None else f"line {min(mark.line + 1, len(content.splitlines()))}"
        raise PolicyError(place, type(error).__name__, "a YAML mapping") from None
    return {} if data is None else data


class Reader:
    """A mapping of the configuration at a path; reading a key checks its type, `done` refuses keys nobody read."""

    def __init__(self, data: object, path: str) -> None:
        if not isinstance(data, Mapping):
            raise PolicyError(path or "the whole", data, "a mapping")
        self._data = data
        self._path = path
        self._read: set[str] = set()

    def _at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def _take(self, key: str) -> Any:
        self._read.add(key)
        return self._data.get(key)

    def whole(self, key: str, default: int, *, least: int = 0) -> int:
        """The whole number of the key, at least `least`."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise PolicyError(self._at(key), value, f"a whole number from {least}")
        return value

    def limit(self, key: str, default: int | None) -> int | None:
        """The whole number of the key from 1, or None where there is no limit."""
        self._read.add(key)
        if key in self._data and self._data[key] is None:
            return None
        return default if key not in self._data else self.whole(key, 1, least=1)

    def flag(self, key: str, *, default: bool) -> bool:
        """The truth value of the key."""
        value = self._take(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise PolicyError(self._at(key), value, "true or false")
        return value

    def choice(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of the allowed words."""
        value = self._take(key)
        if value is None:
            return default
        if value not in allowed:
            raise PolicyError(self._at(key), value, ", ".join(allowed))
        return str(value)

    def words(self, key: str, default: Sequence[object]) -> tuple[str, ...]:
        """A list of texts; what YAML reads as a number or as nothing is taken as it was written."""
        value = self._take(key)
        value = default if value is None else value
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise PolicyError(self._at(key), value, "a list of texts")
        return tuple("null" if item is None else str(item) for item in value)

    def patterns(self, key: str, default: Sequence[str]) -> tuple[str, ...]:
        """A list of regular expressions that compile."""
        found = self.words(key, default)
        for pattern in found:
            try:
                re.compile(pattern)
            except re.error as error:
                raise PolicyError(self._at(key), pattern, f"a regular expression ({error.msg})") from None
        return found

    def number(self, key: str, default: float | None) -> float | None:
        """A number from 0, or None where there is no bound."""
        value = self._take(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise PolicyError(self._at(key), value, "a number from 0")
        return float(value)

    def part(self, key: str) -> Reader:
        """The mapping of the key; an absent one is empty."""
        value = self._take(key)
        return Reader({} if value is None else value, self._at(key))

    def parts(self, key: str) -> dict[str, Reader]:
        """The mappings below the key, by name; names are texts."""
        below = self.part(key)
        return {name: below.part(name) for name in below.names()}

    def names(self) -> list[str]:
        """The keys of this mapping in their order."""
        for name in self._data:
            if not isinstance(name, str):
                raise PolicyError(self._path, name, "texts as keys")
        return list(self._data)

    def has(self, key: str) -> bool:
        """Whether the key is given, even as nothing."""
        return self._data.get(key) is not None

    def done(self) -> None:
        """Every given key was read; another one is refused with the list of those allowed."""
        for name in self._data:
            if name not in self._read:
                raise PolicyError(self._at(str(name)), "an unknown key", ", ".join(sorted(self._read)))

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields of a host's answer: what a value must be, and what is made of it. PRIVATE to the collection. Pure.

A field takes what a host has sent and returns what the control node works with, or raises `WrongAnswer`. Nothing of
what was sent is in its message but the names of keys, so that no host writes it.
"""

from __future__ import annotations

import datetime
import math
import re
import typing as t

Field = t.Callable[[t.Any], t.Any]
# Fields by the keys of a mapping
Fields = t.Mapping[str, Field]

# What the terminal, a table or a file of the operator gets of a text
_TEXT_LENGTH = 500
_KEY_LENGTH = 60


class WrongAnswer(Exception):
    """A value that a host has sent is not what it must be."""

    def __init__(self, problem: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(problem, path)
        self.problem = problem
        # The keys that lead to the value
        self.path = path

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.problem}" if self.path else self.problem

    def inside(self, key: object) -> WrongAnswer:
        """The same, seen from the mapping or list that holds the value."""
        return WrongAnswer(self.problem, (make_line(str(key), _KEY_LENGTH), *self.path))


def _refuse(expected: str, value: object) -> WrongAnswer:
    return WrongAnswer(f"must be {expected}, and is {_name_kind(value)}")


def _name_kind(value: object) -> str:
    kinds = ((bool, "a boolean"), (int, "an integer"), (float, "a number"), (str, "a text"), (list, "a list"))
    if value is None:
        return "null"
    return next((name for kind, name in kinds if isinstance(value, kind)), "a mapping")


def make_line(value: str, length: int = _TEXT_LENGTH) -> str:
    """One printable line: white space becomes blanks, anything else that does not print a question mark; what is longer
    than ``length`` is cut.
    """
    if len(value) > length:
        value = value[: length - 3] + "..."
    if value.isprintable():
        return value
    return "".join(letter if letter.isprintable() else " " if letter.isspace() else "?" for letter in value)


#
# Scalars
#


def text(length: int = _TEXT_LENGTH) -> Field:
    """What is only shown, made one printable line."""

    def parse(value: t.Any) -> str:
        if not isinstance(value, str):
            raise _refuse("a text", value)
        return make_line(value, length)

    return parse


def message(length: int = 4 * _TEXT_LENGTH) -> Field:
    """A text that tasks show by a template of nothing else: ansible-core 2.16 takes one that looks like a Python
    literal for the literal, and shows another error instead.
    """
    parse_text = text(length)

    def parse(value: t.Any) -> str:
        line: str = parse_text(value)
        return f"the host says: {line}" if line.lstrip()[:1] in ("{", "[") or line in ("True", "False") else line

    return parse


def word(pattern: str, length: int, name: str) -> Field:
    """What is compared, or named in a request: nothing is made of it."""
    matches = re.compile(pattern, re.ASCII).fullmatch

    def parse(value: t.Any) -> str:
        if not isinstance(value, str):
            raise _refuse(name, value)
        if len(value) > length or matches(value) is None or not value.isprintable():
            raise WrongAnswer(f"must be {name}")
        return value

    return parse


def choice(*values: str) -> Field:
    known = frozenset(values)
    expected = f"one of {', '.join(values)}"

    def parse(value: t.Any) -> str:
        if not isinstance(value, str):
            raise _refuse(expected, value)
        if value not in known:
            raise WrongAnswer(f"must be {expected}")
        return value

    return parse


def boolean(value: t.Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise _refuse("a boolean", value)


def flag(value: t.Any) -> bool:
    """A boolean, which Ansible's own wrappers write as 0 or 1."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise _refuse("a boolean", value)


def integer(minimum: int = 0, maximum: int = 2**63) -> Field:
    def parse(value: t.Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refuse("an integer", value)
        if not minimum <= value <= maximum:
            raise WrongAnswer(f"must be from {minimum} to {maximum}")
        return value

    return parse


def number(minimum: float, maximum: float) -> Field:
    def parse(value: t.Any) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _refuse("a number", value)
        # Neither is true of NaN, nor the first of what is too large for a float.
        if not (minimum <= value <= maximum and math.isfinite(value)):
            raise WrongAnswer(f"must be from {minimum:g} to {maximum:g}")
        return value

    return parse


def date(value: t.Any) -> str:
    if not isinstance(value, str):
        raise _refuse("a date", value)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) is None:
        raise WrongAnswer("must be a date such as 2026-11-30")
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        raise WrongAnswer("must be a day of the calendar") from None
    return value


# Seconds since the epoch, up to the year 9999
moment = number(0, 253402300799)


def optional(field: Field) -> Field:
    """The same, or null."""

    def parse(value: t.Any) -> t.Any:
        return None if value is None else field(value)

    return parse


def either(first: Field, second: Field) -> Field:
    """The first, or else the second."""

    def parse(value: t.Any) -> t.Any:
        try:
            return first(value)
        except WrongAnswer:
            return second(value)

    return parse


#
# Collections
#


def list_of(field: Field, maximum: int) -> Field:
    def parse(value: t.Any) -> list[t.Any]:
        if not isinstance(value, (list, tuple)):
            raise _refuse("a list", value)
        if len(value) > maximum:
            raise WrongAnswer(f"must have at most {maximum} items")
        try:
            return [field(item) for item in value]
        except WrongAnswer:
            raise _find_wrong(field, enumerate(value)) from None

    return parse


def words(pattern: str, length: int, name: str, maximum: int) -> Field:
    """A list of many words, matched as one text: a kernel may have thousands of CVEs."""
    parse_slowly = list_of(word(pattern, length, name), maximum)
    matches = re.compile(f"(?:{pattern}\n)*", re.ASCII).fullmatch

    def parse(value: t.Any) -> list[str]:
        if isinstance(value, (list, tuple)) and len(value) <= maximum and all(isinstance(item, str) for item in value):
            joined = "\n".join((*value, ""))
            if joined.count("\n") == len(value) and matches(joined) and len(max(value, key=len, default="")) <= length:
                return list(value)
        return list(parse_slowly(value))

    return parse


def _find_wrong(field: Field, items: t.Iterable[tuple[object, t.Any]]) -> WrongAnswer:
    """What the field says of the first value that it refuses."""
    return next(problem.inside(key) for key, value in items if (problem := _get_problem(field, value)) is not None)


def _get_problem(field: Field, value: t.Any) -> WrongAnswer | None:
    try:
        field(value)
    except WrongAnswer as exc:
        return exc
    return None


def mapping(required: Fields, optional_keys: Fields | None = None, *, drop_others: bool = False) -> Field:
    """A mapping with these keys.

    :param optional_keys: may be missing.
    :param drop_others: whether other keys are left out; they are refused otherwise.
    """
    fields = tuple({**(optional_keys or {}), **required}.items())
    may_miss = frozenset(optional_keys or ()) - set(required)
    known = frozenset(key for key, _field in fields)

    def parse(value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise _refuse("a mapping", value)
        parsed: dict[str, t.Any] = {}
        for key, field in fields:
            if key in value:
                try:
                    parsed[key] = field(value[key])
                except WrongAnswer as exc:
                    raise exc.inside(key) from None
            elif key not in may_miss:
                raise WrongAnswer("is missing", (key,))
        if len(parsed) != len(value) and not drop_others:
            raise WrongAnswer("is not a key that is known here").inside(next(key for key in value if key not in known))
        return parsed

    return parse


def table(key_field: Field, value_field: Field, maximum: int) -> Field:
    """A mapping of any keys of one kind to values of another."""

    def parse(value: t.Any) -> dict[str, t.Any]:
        if not isinstance(value, dict):
            raise _refuse("a mapping", value)
        if len(value) > maximum:
            raise WrongAnswer(f"must have at most {maximum} keys")
        try:
            return {key_field(key): value_field(item) for key, item in value.items()}
        except WrongAnswer:
            pairs = ((key, (key, item)) for key, item in value.items())
            raise _find_wrong(lambda pair: (key_field(pair[0]), value_field(pair[1])), pairs) from None

    return parse


#
# What several blocks have
#

# Why keys are null, by key
reasons = table(word(r"[a-z_]+(\.[a-z_]+)?", _KEY_LENGTH, "a key"), text(), 100)
path = word(r"/.*", 4096, "an absolute path")
# A version and release of RPM, with its epoch if it has one; a package's name; and both, joined
evr = word(r"(\d+:)?[\w.+~^]+-[\w.+~^]+", 200, "a version and release")
package_name = word(r"[A-Za-z0-9][\w.+~@:=-]*", 200, "the name of a package")
arch = word(r"\w+", 40, "an architecture")
build_id = word(r"([0-9a-f]{2}){1,64}", 128, "a build ID in hex")
boot_id = word(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 36, "a boot ID")
level = integer(0, 10**9)
cves = words(r"CVE-\d{4}-\d{4,12}", 25, "the ID of a CVE", 20000)

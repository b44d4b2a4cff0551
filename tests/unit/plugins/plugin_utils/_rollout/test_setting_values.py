# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each setting is given each kind of value: it is taken as documented, or refused with what is right."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema, validation
from tests.support import setting_values

_NOW = 1.8e9
# How a message says what is right
_WAY_OUT = re.compile(
    r"\b([Gg]ive|[Ss]et|[Pp]ut|[Uu]se|[Ll]eave|must be|[Aa]dd|[Cc]orrect|needs?|is none of|such as|"
    r"[Ss]upported|unable to convert|cannot be converted)\b"
)
EACH = pytest.mark.parametrize("name", list(schema.SETTINGS))


def _check(
    name: str, value: t.Any, extra: bool = False, render: validation.Render = lambda _host, value: value
) -> list[str]:
    """What is wrong with a setting of the host a1, or with an extra variable."""
    given = [name] if extra else []
    # What only a command may have
    validator = validation.Validator(given, [name], render, _NOW)
    validator.check_host("a1", {name: value, **setting_values.COMPANIONS.get(name, {})})
    return validator.describe_problems()


@EACH
def test_what_is_right_is_read_as_documented(name: str) -> None:
    setting = schema.SETTINGS[name]
    for kind, value in setting_values.list_spellings(setting).items():
        for extra in (False, True):
            assert _check(name, value, extra) == [], kind
        read = schema.read({name: value}, name)
        good = setting_values.get_good(setting)
        if "options" in setting.spec and setting.type == "dict":
            good = {
                key: option["default"] for key, option in setting.spec["options"].items() if "default" in option
            } | good
        assert (read, type(read)) == (good, type(good)), kind
        # As a record keeps it
        assert json.loads(json.dumps(read, allow_nan=False, ensure_ascii=False).encode()) == read, kind
        # As a template gives it
        assert _check(name, "{{ it }}", render=lambda _host, _value, it=value: it) == [], kind  # type: ignore[misc]


@EACH
def test_blank_is_the_default(name: str) -> None:
    for value in setting_values.BLANK:
        assert _check(name, value) == _check(name, value, extra=True) == []
        assert schema.read({name: value}, name) == schema.read({}, name) == schema.SETTINGS[name].default
        assert _check(name, "{{ it }}", render=lambda _host, _value, it=value: it) == []  # type: ignore[misc]


@EACH
def test_what_is_wrong_is_refused_with_what_is_right(name: str) -> None:
    for kind, value in setting_values.list_refused(schema.SETTINGS[name]).items():
        for extra, where in ((False, "of a1"), (True, "(-e)")):
            lines = _check(name, value, extra)
            assert len(lines) == 1, (kind, lines)
            assert lines[0].startswith(f"{name} {where}: "), kind
            assert schema.SETTINGS[name].secret or _WAY_OUT.search(lines[0]), (kind, lines)
            assert len(lines[0]) < 1000, kind
        rendered = _check(name, "{{ it }}", render=lambda _host, _value, it=value: it)  # type: ignore[misc]
        assert len(rendered) == 1, (kind, rendered)


@EACH
def test_what_cannot_be_rendered_is_refused(name: str) -> None:
    def render(_host: str, _value: t.Any) -> t.Any:
        raise PlanError("'nope' is undefined")

    for value in ("{{ nope }}", "x {{ nope }} y", ["{{ nope }}"], {"x": ["{{ nope }}"]}, "{% if nope %}1{% endif %}"):
        (line,) = _check(name, value, render=render)
        assert line == f"{name} of a1: its template cannot be rendered: 'nope' is undefined"

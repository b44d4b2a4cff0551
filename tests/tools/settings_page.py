# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prints docs/settings.md, made from the argument specification of the role rollout.

usage: settings_page.py > docs/settings.md   (from the root of the checkout, which the tests have staged)
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import yaml

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import controls

SPECIFICATION = Path(__file__).parents[2] / "roles/rollout/meta/argument_specs.yml"
_HEAD = """# Settings

<!-- Generated from roles/rollout/meta/argument_specs.yml by tests/tools/settings_page.py: do not edit. -->

All settings of the playbooks are variables that start with `livepatch_`. `ansible-doc -t role fleet.livepatch.rollout`
shows the same. The [README](../README.md) explains how they work together.

A *run* setting has one value for the whole run: set it for all hosts of the inventory, or with `-e`. A *host* setting
may differ between hosts. A plan and its rollout keep those that are *kept*, and a later run goes by them; those that
are *planned* are in the plan, which never changes ([more](operator.md#an-open-rollout-keeps-its-settings)). A blank
value (`''` or null) means the default. Unknown names and wrong types are refused before any host is contacted;
`livepatch_names_allowed` lists variables of your own that start with `livepatch_`. No number is larger than 2147483647,
and no element of a list is blank.

| setting | for | type | default | description |
|---|---|---|---|---|
"""
_SCOPE = re.compile(r"(?P<scope>Run|Host) setting\.\s*")
# Markup of Ansible's documentation: V(value), O(option=value), O(plugin#type:option), C(code), P(plugin#type), M(module)
_MARKUP = re.compile(r"\b(?P<kind>[VOCPM])\((?P<text>[^()]*(?:\([^()]*\)[^()]*)*)\)")


def render(specification: str) -> str:
    """:param specification: the file's text."""
    options = yaml.safe_load(specification)["argument_specs"]["main"]["options"]
    rows = [line for name, option in options.items() for line in _format_rows(name, option)]
    return _HEAD + "\n".join(rows) + "\n"


def _format_rows(name: str, option: dict[str, t.Any]) -> t.Iterator[str]:
    """The row of a setting, and those of its keys."""
    first, *rest = _to_list(option["description"])
    match = _SCOPE.match(first)
    if match is None:
        raise ValueError(f"{name}: its description does not begin with 'Run setting.' or 'Host setting.'")
    # What follows the scope, such as that the value is secret, comes last.
    yield _format_row(f"`{name}`", _format_scope(name, match["scope"]), option, " ".join(rest), first[match.end() :])
    yield from _format_keys(name, option)


def _format_scope(name: str, scope: str) -> str:
    kept = ", kept" if name in controls.KEPT else ""
    planned = ", planned" if name in controls.PLAN | controls.PLAN_INPUTS else ""
    return f"{scope.lower()}{kept}{planned}"


def _format_keys(name: str, option: dict[str, t.Any]) -> t.Iterator[str]:
    for key, suboption in option.get("options", {}).items():
        yield _format_row(f"`{name}.{key}`", "", suboption, " ".join(_to_list(suboption["description"])))
        yield from _format_keys(f"{name}.{key}", suboption)


def _format_row(label: str, scope: str, option: dict[str, t.Any], text: str, note: str = "") -> str:
    kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
    default = option.get("default")
    value = "" if default in (None, "") else f"`{default if isinstance(default, str) else json.dumps(default)}`"
    if option.get("choices"):
        text = f"{text} Choices: {', '.join(f'`{choice}`' for choice in option['choices'])}."
    text = " ".join(filter(None, (text, note)))
    cells = (label, scope, kind, value, _to_markdown(text))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _to_list(description: str | list[str]) -> list[str]:
    return [description] if isinstance(description, str) else description


def _to_markdown(text: str) -> str:
    def replace(match: re.Match[str]) -> str:
        plugin, _separator, rest = match["text"].partition("#")
        if match["kind"] in "PM":
            return f"`{plugin}`"
        kind, _separator, option = rest.partition(":")
        if match["kind"] == "O" and option:
            return f"`{option}` of the {kind} `{plugin}`"
        return f"`{match['text']}`"

    return _MARKUP.sub(replace, text)


if __name__ == "__main__":
    sys.stdout.write(render(SPECIFICATION.read_text(encoding="utf-8")))

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schema, defaults, the options of modules and roles, README and docs say the same of each setting."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.fleet.livepatch.plugins.action import rollout_validate
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema, validation

_CHECKOUT = Path(__file__).parents[5]
_NAME = re.compile(r"(?<![\w.])livepatch_[a-z0-9_]*[a-z0-9]\b")
# A value that is one setting, with or without a default
_ONLY_SETTING = re.compile(r"\{\{ (livepatch_\w+)(?: \| default\((.*)\))? \}\}")
# The same of a number or a truth value, which `default` with true would take for blank
_ONLY_NUMBER = re.compile(r"\{\{ (\S+) if (livepatch_\w+) \| default\(''\) in \['', none\] else \2 \}\}")
# Names that are no variables: Prometheus' metrics and alerts, groups that inventories make, a folder
_OTHER_NAMES = re.compile(
    r"livepatch_(state|cohort|stale|rollout)(_\w+)?|livepatch_\w+_(seconds|ratio|total|hosts|waves)|livepatch_ee"
)
_METRICS = ("docs/monitoring", "roles/metrics/README.md", "docs/report.schema.json")
# Options that mean something else where they are not given, and that the playbooks always give
_OWN_DEFAULTS = {
    ("rollout_begin", "slices"): 1,  # the share of what may be in flight; 0 and 1 both mean no slices
}
# An option may take more than the setting does.
_WIDER = {("str", "path"), ("str", "int"), ("str", "float"), ("raw", "bool"), ("raw", "int")}


def _read_yaml(path: Path) -> t.Any:
    return yaml.safe_load(re.sub(r"!unsafe |!vault ", "", path.read_text()))


def test_the_role_has_the_defaults() -> None:
    defaults = _read_yaml(_CHECKOUT / "roles/rollout/defaults/main.yml")
    assert defaults == {
        name: setting.default for name, setting in schema.SETTINGS.items() if setting.default is not None
    }


def _documents() -> list[str]:
    files = [_CHECKOUT / "README.md", *(_CHECKOUT / "docs").rglob("*"), *(_CHECKOUT / "extensions").rglob("*.yml")]
    files += [*(_CHECKOUT / "roles").rglob("*.md"), *(_CHECKOUT / "roles").rglob("*.yml")]
    files += [*(_CHECKOUT / "playbooks").rglob("*.yml")]
    names = sorted(str(path.relative_to(_CHECKOUT)) for path in files if path.suffix in (".md", ".yml", ".cfg"))
    return [name for name in names if not name.startswith(_METRICS)]


@pytest.mark.parametrize("document", _documents())
def test_each_setting_that_is_named_exists(document: str) -> None:
    modules = {path.stem for path in (_CHECKOUT / "plugins/modules").glob("*.py")}
    known = {*schema.SETTINGS, *schema.OUTPUTS, *modules}
    named = set(_NAME.findall((_CHECKOUT / document).read_text()))
    assert sorted(name for name in named - known if not _OTHER_NAMES.fullmatch(name)) == []


def _read_options(module: str) -> dict[str, t.Any]:
    """The documented options of a module, its fragments' among them."""
    docs = _read_documentation(_CHECKOUT / f"plugins/modules/{module}.py", "DOCUMENTATION")
    options = dict(docs.get("options") or {})
    for fragment in docs.get("extends_documentation_fragment", []):
        file, _separator, part = fragment.removeprefix("fleet.livepatch.").partition(".")
        path = _CHECKOUT / f"plugins/doc_fragments/{file}.py"
        options |= _read_documentation(path, part.upper() or "DOCUMENTATION").get("options") or {}
    return options


def _read_documentation(path: Path, name: str) -> t.Any:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no {name}")


def _tasks(node: t.Any) -> t.Iterator[tuple[str, str, str, str | None]]:
    """Module, option, setting and default, of each option of a task that is one setting."""
    if isinstance(node, list):
        for part in node:
            yield from _tasks(part)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key.startswith("fleet.livepatch.") and isinstance(value, dict):
                for option, text in value.items():
                    match = _ONLY_SETTING.fullmatch(text) if isinstance(text, str) else None
                    if match:
                        yield key.rpartition(".")[2], option, match[1], match[2]
            else:
                yield from _tasks(value)


def _fed_options() -> list[t.Any]:
    files = sorted([*(_CHECKOUT / "roles/rollout/tasks").glob("*.yml"), *(_CHECKOUT / "playbooks").rglob("*.yml")])
    fed = {found for path in files for found in _tasks(_read_yaml(path))}
    return sorted(fed, key=str)


def _assert_agree(setting: schema.Setting, option: t.Mapping[str, t.Any]) -> None:
    kind = option.get("type", "str")
    assert kind == setting.type or (kind, setting.type) in _WIDER or (setting.type, kind) in _WIDER
    if kind == setting.type:
        assert option.get("elements") == setting.elements
        # What a role leaves to its module to check it need not repeat.
        assert option.get("choices") is None or tuple(option["choices"]) == (setting.choices or ())


def _is_same_default(default: t.Any, setting: schema.Setting) -> bool:
    return default == setting.default or all(
        is_blank(value) or value in ([], {}) for value in (default, setting.default)
    )


@pytest.mark.parametrize(("module", "option", "setting", "default"), _fed_options())
def test_an_option_is_as_the_setting_that_feeds_it(module: str, option: str, setting: str, default: str | None) -> None:
    documented = _read_options(module)[option]
    _assert_agree(schema.SETTINGS[setting], documented)
    if (module, option) in _OWN_DEFAULTS:
        assert documented["default"] == _OWN_DEFAULTS[module, option]
    elif not documented.get("required") and documented.get("default") is not None:
        assert _is_same_default(documented["default"], schema.SETTINGS[setting])


def _role_defaults() -> list[tuple[str, str, str, str | None]]:
    rows = []
    for path in sorted((_CHECKOUT / "roles").glob("*/defaults/main.yml")):
        for name, text in _read_yaml(path).items():
            if not isinstance(text, str):
                continue
            if match := _ONLY_SETTING.fullmatch(text):
                rows.append((path.parent.parent.name, name, match[1], match[2]))
            elif match := _ONLY_NUMBER.fullmatch(text):
                rows.append((path.parent.parent.name, name, match[2], match[1]))
    return rows


@pytest.mark.parametrize(("role", "name", "setting", "default"), _role_defaults())
def test_a_role_s_default_is_the_setting_s(role: str, name: str, setting: str, default: str | None) -> None:
    if default is not None:
        value = yaml.safe_load(default.removesuffix(", true"))
        assert _is_same_default(value, schema.SETTINGS[setting])
    spec = _read_yaml(_CHECKOUT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    _assert_agree(schema.SETTINGS[setting], spec[name])


def test_operators_commands_check_what_they_read() -> None:
    files = ["tasks/control.yml", "tasks/quarantine.yml", "tasks/report.yml", "vars/main.yml"]
    texts = [(_CHECKOUT / "roles/rollout" / file).read_text() for file in files]
    read = set(_NAME.findall("\n".join(texts))) & set(schema.SETTINGS)
    # Webhooks are notified of a halt that is recorded; the timeout is for hosts.
    not_checked = {"livepatch_webhooks", "livepatch_unreachable_timeout"}
    in_python = {"livepatch_names_allowed", "livepatch_scope", "livepatch_store_group", "livepatch_store_path"}
    checked = frozenset().union(*rollout_validate.COMMANDS.values())
    assert (read - not_checked) | in_python == checked


def test_each_command_of_an_operator_is_a_playbook() -> None:
    named = {
        match[1]: path.stem
        for path in (_CHECKOUT / "playbooks").glob("[!_]*.yml")
        if (match := re.search(r"__livepatch_command: (\w+)", path.read_text()))
    }
    assert named == {command: command for command in rollout_validate.COMMANDS}


def test_a_blank_default_of_the_rollout_is_the_setting_s() -> None:
    """Of what the module's own default is not."""
    values = _read_yaml(_CHECKOUT / "roles/rollout/vars/main.yml")
    match = _ONLY_NUMBER.fullmatch(values["__livepatch_unreachable_timeout"])
    assert match is not None
    assert int(match[1]) == schema.SETTINGS[match[2]].default


def test_what_rollouts_pass_to_roles_is_internal() -> None:
    """All variables of other roles that the rollout sets."""
    texts = [
        path.read_text()
        for folder in ("playbooks", "roles/rollout/tasks")
        for path in (_CHECKOUT / folder).rglob("*.yml")
    ]
    passed = set(re.findall(r"^ +((?:install|verify|rollback|preflight|repository)_\w+):", "\n".join(texts), re.M))
    assert passed <= validation.ROLE_INTERNALS

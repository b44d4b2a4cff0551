# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles' variables: their names, and that defaults, argument specs, tasks and READMEs agree."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

_CHECKOUT = Path(__file__).parents[3]
_ROLES = ("awx", "install", "metrics", "preflight", "repository", "rollback", "verify")
# What AWX passes to each job as extra variables, which win over a role's (awx_meta_vars of its models, and the webhook
# receiver). It has added to these families before.
_AWX_FAMILIES = ("job", "workflow", "parent", "schedule", "user", "inventory", "project", "execution_node", "webhook")
_AWX_NAMES = [
    "awx_job_id",
    "awx_job_launch_type",
    "awx_job_scm_branch",
    "awx_job_template_id",
    "awx_job_template_name",
    "awx_workflow_job_id",
    "awx_workflow_job_name",
    "awx_workflow_job_launch_type",
    "awx_parent_job_schedule_id",
    "awx_parent_job_schedule_name",
    "awx_schedule_id",
    "awx_schedule_name",
    "awx_user_id",
    "awx_user_name",
    "awx_user_email",
    "awx_user_first_name",
    "awx_user_last_name",
    "awx_inventory_id",
    "awx_inventory_name",
    "awx_project_revision",
    "awx_project_scm_branch",
    "awx_execution_node",
    "awx_webhook_event_type",
    "awx_webhook_event_guid",
    "awx_webhook_event_ref",
    "awx_webhook_status_api",
    "awx_webhook_payload",
]


class _Loader(yaml.SafeLoader):
    """Knows Ansible's own tag."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast(yaml.ScalarNode, node)))


def _load(path: Path) -> t.Any:
    return yaml.load(path.read_text(), _Loader) if path.exists() else {}


def _options(role: str) -> dict[str, dict[str, t.Any]]:
    specs = _load(_CHECKOUT / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    options: dict[str, dict[str, t.Any]] = specs["main"]["options"]
    return options


def _set_names(content: t.Any) -> t.Iterator[str]:
    """The variables that tasks set: registered, as facts, as variables of a task, as loop variables."""
    if isinstance(content, list):
        for item in content:
            yield from _set_names(item)
    elif isinstance(content, dict):
        if isinstance(content.get("register"), str):
            yield content["register"]
        is_role = {"ansible.builtin.import_role", "ansible.builtin.include_role"} & set(content)
        yield from () if is_role else content.get("vars", {})
        yield from content.get("ansible.builtin.set_fact", {})
        if "loop_var" in content.get("loop_control", {}):
            yield content["loop_control"]["loop_var"]
        for key in ("block", "rescue", "always"):
            yield from _set_names(content.get(key, []))


@pytest.mark.parametrize("role", _ROLES)
def test_defaults_are_those_of_the_argument_spec(role: str) -> None:
    options = _options(role)
    defaults = _load(_CHECKOUT / f"roles/{role}/defaults/main.yml")
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    for name, option in options.items():
        if "default" in option:
            assert defaults[name] == option["default"], name


@pytest.mark.parametrize("role", _ROLES)
def test_each_variable_is_in_the_readme(role: str) -> None:
    readme = (_CHECKOUT / f"roles/{role}/README.md").read_text()
    cells = re.findall(r"^\| (`[^|]*) \|", readme, re.MULTILINE)
    rows = {name for cell in cells for name in re.findall(r"`(\w+)`", cell) if name.startswith(f"{role}_")}
    outputs = {name for name in _load(_CHECKOUT / f"roles/{role}/vars/main.yml") if name.startswith(f"{role}_")}
    assert rows - outputs == set(_options(role))
    assert all(f"`{name}`" in readme for name in outputs)


@pytest.mark.parametrize("role", _ROLES)
def test_documented_variables_have_the_prefix_of_the_role_and_all_others_that_of_internal_ones(role: str) -> None:
    """ansible-lint expects the role's name in both (.ansible-lint-ignore)."""
    folder = _CHECKOUT / f"roles/{role}"
    assert all(name.startswith(f"{role}_") for name in _options(role))
    # What tasks set is internal. What is in vars is internal or an output, which no task reads.
    texts = [path.read_text() for path in folder.glob("tasks/*.yml")]
    tasks = [name for text in texts for name in _set_names(yaml.load(text, _Loader))]
    outputs = [name for name in _load(folder / "vars/main.yml") if not name.startswith("__livepatch_")]
    assert [name for name in tasks if not name.startswith("__livepatch_")] == []
    assert [name for name in outputs if not name.startswith(f"{role}_") or name in _options(role)] == []
    assert [name for name in outputs if any(re.search(rf"\b{name}\b", text) for text in texts)] == []


def test_no_variable_of_the_role_awx_can_be_one_that_awx_sets() -> None:
    families = tuple(f"awx_{family}_" for family in _AWX_FAMILIES)
    assert all(f"{name}_".startswith(families) for name in _AWX_NAMES)
    assert [name for name in _options("awx") if name.startswith(families)] == []

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an action plugin makes of a host's output, and what ansible-core gets to see of it."""

from __future__ import annotations

import json
import types
import typing as t

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError

from ansible_collections.fleet.livepatch.plugins.action import kernel_info, livepatch, livepatch_info
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _host_action, _host_change
from tests.support import answers

KERNEL = {"changed": False, "kernel": answers.gathered()["kernel"]}
VARIABLES = {"inventory_hostname": "web1"}


class Core:
    """ansible-core's part: what the host prints goes in, and what core sees of it is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.seen: list[dict[str, t.Any]] = []
        self.become: t.Any = None

        def parse(_action: object, res: dict[str, t.Any], *_profile: str) -> dict[str, t.Any]:
            self.seen.append(res)
            if res["stdout"].startswith("{"):
                return t.cast("dict[str, t.Any]", json.loads(res["stdout"]))
            return {"failed": True, "msg": "MODULE FAILURE", "module_stdout": res["stdout"], "rc": res["rc"]}

        monkeypatch.setattr(_host_action.ActionBase, "run", lambda *_arguments: {})
        monkeypatch.setattr(_host_action.ActionBase, "_parse_returned_data", parse)
        monkeypatch.setattr(
            _host_action._options, "parse_options", lambda *_arguments: {"gather": ["kernel"], "unreachable_timeout": 0}
        )

    def run(
        self, printed: str | Exception | None, module: t.Any = kernel_info, error: str = "", **task: t.Any
    ) -> dict[str, t.Any]:
        """:param printed: by the host; an exception that core raises instead; None for a core that reads it itself."""
        action = object.__new__(module.ActionModule)
        given = {"args": {}, "async_val": 0, "poll": 10, "diff": False, "delegate_to": None, "action": "the_action"}
        action._task = types.SimpleNamespace(**{**given, **task})
        action._connection = types.SimpleNamespace(become=self.become)
        action._discovered_interpreter_key = "discovered_interpreter_python"
        action._discovered_interpreter = "/usr/bin/python3.11"

        def execute(**_options: t.Any) -> t.Any:
            if isinstance(printed, Exception):
                raise printed
            if printed is None:
                return {"changed": True, "ansible_facts": {"livepatch_policy": {}}}
            return action._parse_returned_data({"rc": 0, "stdout": printed, "stderr": error}, "legacy")

        self._monkeypatch.setattr(action, "_execute_module", execute)
        return t.cast("dict[str, t.Any]", action.run(None, dict(VARIABLES)))


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    return Core(monkeypatch)


NOW = 1800000000.5
FACTS = {"ansible_facts": {"discovered_interpreter_python": "/usr/bin/python3.11"}}


def test_core_sees_nothing_of_an_answer(core: Core) -> None:
    dropped = {"invocation": {}, "exception": "x", "deprecations": [{"msg": "x"}], "_ansible_no_log": True}
    result = core.run(json.dumps({**KERNEL, **dropped, "warnings": ["an old kernel\x1b[2J"]}))
    assert result == {**KERNEL, "warnings": ["web1: an old kernel?[2J"], **FACTS}
    assert [json.loads(res["stdout"]) for res in core.seen] == [{}]
    assert {res["stderr"] for res in core.seen} == {""}


@pytest.mark.parametrize("key", ["ansible_facts", "ansible_stats", "skipped", "unreachable", "results", "add_host"])
def test_a_key_that_controls_core_is_no_answer(core: Core, key: str) -> None:
    result = core.run(json.dumps({**KERNEL, key: {}}))
    assert result["failed"] and set(result) == {"changed", "failed", "msg"}
    assert result["msg"].startswith(f"the host's answer cannot be used: its {key}: is not a key that is known here")
    assert core.seen == []


def test_what_a_shell_prints_is_explained_by_core(core: Core) -> None:
    result = core.run("{'a\x1b': 1\n", error="sudo: a password is required\n" * 1000)
    assert core.seen[0]["stdout"] == "('a?': 1 "
    assert (result["failed"], result["msg"], result["module_stdout"]) == (True, "MODULE FAILURE", "('a?': 1 ")
    assert len(core.seen[0]["stderr"]) < 4100


def test_a_core_that_reads_it_itself_is_refused(core: Core) -> None:
    result = core.run(None)
    assert result["failed"] and "does not know this ansible-core" in result["msg"]
    assert "ansible_facts" not in result


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AnsibleConnectionFailure("banner\x1b[2J\nclosed"), {"unreachable": True, "msg": "banner?[2J closed"}),
        (AnsibleError("no\nbecome"), {"failed": True, "msg": "no become"}),
        (
            RecursionError("deep"),
            {"failed": True, "msg": "the host's answer cannot be used: ansible-core fails on it (RecursionError)"},
        ),
    ],
)
def test_what_core_raises_is_the_hosts_own(core: Core, error: Exception, expected: dict[str, t.Any]) -> None:
    assert core.run(error) == {"changed": False, **expected}


def test_a_fleet_is_assessed_as_a_whole(core: Core) -> None:
    result = core.run('{"kernel": null}', livepatch_info, args={"on_unreachable": "report"})
    assert result == {
        "changed": False,
        "problem": "the host's answer cannot be used: its kernel: must be a mapping, and is null. The module does not "
        "answer so: check the host",
    }


def test_what_one_host_has_found_is_no_fact_of_another(core: Core) -> None:
    assert "ansible_facts" in core.run(json.dumps(KERNEL))
    assert "ansible_facts" not in core.run(json.dumps(KERNEL), delegate_to="web2")


@pytest.mark.parametrize("module", [kernel_info, livepatch, livepatch_info])
@pytest.mark.parametrize("poll", [0, 5])
def test_async_is_refused(core: Core, module: t.Any, poll: int) -> None:
    with pytest.raises(AnsibleActionFail, match=r"the_action does not support async: .*, use detach: true of "):
        core.run("{}", module, async_val=60, poll=poll)
    assert core.seen == []


DETACH = {"detach": True, "timeout": 60, "lock_timeout": 60}


@pytest.fixture
def detaching(monkeypatch: pytest.MonkeyPatch, core: Core) -> Core:
    monkeypatch.setattr(_host_change.time, "time", lambda: NOW)
    monkeypatch.setattr(_host_change.halt, "get_halt_reason", lambda *_arguments: None)
    monkeypatch.setattr(_host_action._options, "parse_options", lambda *_arguments: DETACH)
    return core


def test_a_run_that_is_started_is_known_by_its_id(detaching: Core) -> None:
    printed = json.dumps({"changed": False, "detached": True, "invocation": {}})
    result = detaching.run(printed, livepatch, args={"detach": True, "run": "the-run"}, check_mode=False)
    assert result == {"changed": False, "detached": True, "run": "the-run", "began": NOW, "max_seconds": 2640, **FACTS}
    made = detaching.run(printed, livepatch, check_mode=False)
    assert len(made["run"]) == 32


@pytest.mark.parametrize(
    ("printed", "check_mode", "outcome"),
    [
        (AnsibleConnectionFailure("timed out"), False, {"unreachable": True, "msg": "timed out"}),
        ("{}", False, "its detached: is missing"),
        ('{"detached": 1}', False, "its detached: must be a boolean"),
        ('{"detached": true, "run": "x"}', False, "its run: is not a key"),
        ('{"failed": true, "msg": "no"}', False, {"failed": True, "msg": "no", **FACTS}),
        ('{"detached": true}', True, "its before: is missing"),
    ],
)
def test_what_was_not_started_has_an_id_too(
    detaching: Core, printed: t.Any, check_mode: bool, outcome: dict[str, t.Any] | str
) -> None:
    result = detaching.run(printed, livepatch, args={"detach": True, "run": "the-run"}, check_mode=check_mode)
    known = {"changed": False, "run": "the-run", "began": NOW, "max_seconds": 2640}
    if isinstance(outcome, str):
        assert result["failed"] and outcome in result.pop("msg")
        outcome = {"failed": True}
    assert result == {**known, **outcome}


def test_a_change_is_shown_as_the_control_node_makes_it(core: Core) -> None:
    before, after = ({"state": state, "level": None, "patches": [], "kmp": None} for state in ("unpatched", "patched"))
    changed = {**answers.gathered(), "before": before, "after": after, "transition": {"seconds": 1, "by": "watch"}}
    for key in ("job", "health_checks"):
        del changed["livepatch"][key]
    printed = json.dumps({**changed, "diff": [{"before": "\x1b", "after": "a1 is down"}]})
    action = types.SimpleNamespace(
        ActionModule=type("Plain", (livepatch.ActionModule,), {"act": _host_action.HostAction.act})
    )
    result = core.run(printed, action, diff=True)
    assert json.loads(result["diff"]["before"])["state"] == "unpatched"
    assert "diff" not in core.run(printed, action)


class Become:
    """A become plugin, as the executor has set it for a task."""

    def __init__(self, user: str) -> None:
        self.options = {"become_user": user}

    def get_option(self, name: str) -> str:
        return self.options[name]

    def set_option(self, name: str, value: str) -> None:
        self.options[name] = value


@pytest.mark.parametrize("user", ["postgres", "root"])
def test_modules_run_as_root_whatever_other_playbooks_become_on_the_host(core: Core, user: str) -> None:
    core.become = Become(user)
    core.run(json.dumps(KERNEL))
    assert core.become.options == {"become_user": "root"}

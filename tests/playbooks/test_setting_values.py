# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of settings in real playbooks: what is refused opens no connection, what is taken is in the record.

Each run has some of the kinds of values that a unit test gives each setting, chosen by its number, and what only
Ansible makes of values: templates, undefined variables, encrypted text.
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_settings, schema
from tests.support import cores, setting_values
from tests.support.fake_fleet import FakeFleet, FakeHost

_HOSTS = ("a1", "a2", "b1")
# Of these `make test` takes the first
_REFUSED_RUNS, _REFUSED_QUICK = 24, 4
_TAKEN_RUNS, _TAKEN_QUICK = 12, 2
# A message has twenty lines
_IN_A_RUN = 18
_PLAYBOOKS = ("rollout", "plan", "status", "prestage", "rollback")
_PASSWORD = b"secret"
# No host starts, and the run is in the record
_WAIT = {"livepatch_blackouts": [{"from": "2020-01-01", "to": "2090-01-01", "reason": "a test"}]}
_HOST_SETTINGS = sorted(
    name for name in schema.SETTINGS if name.removeprefix(schema.PREFIX) in host_settings.HostSettings.__annotations__
)
# Of those of the run, such as leave no host out and ask nobody
_RUN_SETTINGS = (
    *("livepatch_approval", "livepatch_approver_not_starter", "livepatch_budget", "livepatch_budget_lost"),
    *("livepatch_budget_rollout", "livepatch_halt_scope", "livepatch_max_in_flight", "livepatch_soak"),
    "livepatch_window_min_remaining",
)


class _Encrypted(str):
    """Text as ansible-vault encrypts it in an inventory."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    pass


def _represent(dumper: yaml.SafeDumper, text: _Encrypted) -> yaml.ScalarNode:
    encrypted = VaultLib([("default", VaultSecret(_PASSWORD))]).encrypt(text).decode()
    return dumper.represent_scalar("!vault", encrypted, "|")


_Dumper.add_representer(_Encrypted, _represent)


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


class _Given:
    """Values of variables, each in its place."""

    def __init__(self) -> None:
        self.extra: dict[str, t.Any] = {}
        self.common: dict[str, t.Any] = {}
        self.hosts: dict[str, dict[str, t.Any]] = {name: {} for name in _HOSTS}

    def write(self, fake_fleet: FakeFleet) -> list[str]:
        """Makes the hosts, and returns the arguments of ansible-playbook."""
        fake_fleet.make({name: FakeHost() for name in _HOSTS}, {}, common={})
        inventory = json.loads(fake_fleet.inventory.read_text())
        inventory["all"]["vars"] |= self.common
        for group in inventory["all"]["children"].values():
            for name in group["hosts"]:
                group["hosts"][name] |= self.hosts[name]
        fake_fleet.inventory.write_text(yaml.dump(inventory, Dumper=_Dumper))
        password = fake_fleet.inventory.with_name("password")
        password.write_bytes(_PASSWORD)
        return ["--vault-password-file", str(password), "-e", json.dumps(self.extra)]


def _is_json(value: t.Any) -> bool:
    """Whether it can be given with -e."""
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except TypeError:
        return False


def _numbers(count: int, quick: int) -> list[t.Any]:
    return [pytest.param(number, marks=[] if number < quick else [pytest.mark.slow]) for number in range(count)]


@pytest.mark.parametrize("number", _numbers(_REFUSED_RUNS, _REFUSED_QUICK))
def test_what_is_refused_opens_no_connection(fake_fleet: FakeFleet, number: int) -> None:
    chooser = random.Random(number)
    given = _Given()
    kinds: dict[str, str] = {}
    # Of all hosts each has to be in a play that reads it, which the targets decide
    names = [name for name in schema.SETTINGS if name != "livepatch_targets" and name not in setting_values.COMPANIONS]
    for name in chooser.sample(names, _IN_A_RUN):
        # Surrogates Ansible itself refuses, as YAML does
        kinds_of_it = setting_values.list_refused(schema.SETTINGS[name])
        refused = {kind: value for kind, value in kinds_of_it.items() if "surrogate" not in kind}
        refused |= {"undefined": "{{ nope }}", "a template": "{{ 'x' | no_such_filter }}"}
        kind = chooser.choice(sorted(refused))
        value, place = refused[kind], chooser.choice(["-e", "all", "host"])
        if place == "-e" and _is_json(value):
            given.extra[name] = value
        elif place == "all":
            given.common[name] = value
        else:
            given.hosts["a2"][name] = value
        kinds[name] = kind
    arguments = given.write(fake_fleet)
    run = fake_fleet.again([f"fleet.livepatch.{chooser.choice(_PLAYBOOKS)}", *arguments])
    assert run.rc == 2, run.output
    assert "No host was touched" in run.output
    assert fake_fleet.connections() == []
    for name, kind in kinds.items():
        where = " (-e): " if name in given.extra else " of a2: " if name in given.hosts["a2"] else ": "
        assert f"{name}{where}" in run.output, (name, kind, run.output)


@pytest.mark.parametrize("number", _numbers(_TAKEN_RUNS, _TAKEN_QUICK))
def test_what_is_taken_is_in_the_record(fake_fleet: FakeFleet, number: int) -> None:
    chooser = random.Random(number)
    given = _Given()
    wanted: dict[str, dict[str, t.Any]] = {name: {} for name in _HOSTS}
    wanted_of_run: dict[str, t.Any] = {}
    for name in (*_HOST_SETTINGS, *_RUN_SETTINGS):
        setting = schema.SETTINGS[name]
        good, spellings = setting_values.get_good(setting), setting_values.list_spellings(setting)
        place = chooser.choice(["-e", "all"] if name in _RUN_SETTINGS else ["-e", "all", *_HOSTS])
        value = spellings[chooser.choice(sorted(spellings))]
        if chooser.random() < 0.2:
            value, good = chooser.choice(setting_values.BLANK), setting.default
        elif chooser.random() < 0.3 and place != "-e":
            given.common["mine"] = {**given.common.get("mine", {}), name: value}
            value = "{{ mine['" + name + "'] }}"
        elif isinstance(value, str) and place != "-e":
            value = _Encrypted(value)
        if place == "-e":
            given.extra[name] = value
        elif place == "all":
            given.common[name] = value
        else:
            given.hosts[place][name] = value
        if name in _RUN_SETTINGS:
            wanted_of_run[name] = good
            continue
        for host in _HOSTS:
            wanted[host][name.removeprefix(schema.PREFIX)] = good if place in ("-e", "all", host) else setting.default
    arguments = given.write(fake_fleet)
    run = fake_fleet.again(["fleet.livepatch.rollout", *arguments, "-e", json.dumps(_WAIT)])
    assert run.rc == 0, run.output
    kept, record = _read_record(fake_fleet.store)
    assert {name: kept[name] for name in wanted_of_run} == wanted_of_run
    for host, settings in record.items():
        for option, value in wanted[host].items():
            read = settings[option]
            if isinstance(value, dict) and isinstance(read, dict):
                read = {key: part for key, part in read.items() if key in value}
            assert read == value, (host, option, run.output)


def _read_record(path: Path) -> tuple[dict[str, t.Any], dict[str, dict[str, t.Any]]]:
    """The settings that the rollout keeps, and those of each host that its run has recorded."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        ((kept,),) = database.execute("SELECT payload FROM controls JOIN rollouts ON subject = rollouts.id")
        rows = database.execute(
            "SELECT host, payload FROM run_hosts JOIN run_settings "
            "ON run_settings.run = run_hosts.run AND number = settings"
        )
        settings = {host: json.loads(payload) for host, payload in rows}
    assert set(settings) == set(_HOSTS)
    return json.loads(kept)["run"], settings

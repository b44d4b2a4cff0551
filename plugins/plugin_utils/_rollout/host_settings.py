# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of each host, as the rollout goes by them. PRIVATE to the collection. Pure.

They are read once in a run, and kept in the store: what is in the inventory later, or in a host's answers, changes
nothing of a run that goes on. ``controls`` says which of them the rollout keeps for later runs.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import schema

Options = dict[str, t.Any]
# Hosts' variables, by host
Variables = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclasses.dataclass(frozen=True)
class HostSettings:
    """What a host is changed and asked with; each the setting ``livepatch_*`` of that name."""

    policy: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    health_checks: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    timeout: int = 60
    lock_timeout: int = 60
    unreachable_timeout: int = 300
    on_stall: str = "reverse"
    allow_downgrade: bool = False
    allow_unsupported: bool = False
    repair_boot: bool = False
    kernel_lock: bool | None = None
    lock: bool = False
    preflight_tolerate: t.Sequence[str] = ()

    @classmethod
    def from_variables(cls, variables: t.Mapping[str, t.Any]) -> HostSettings:
        """:raises PlanError: one of them has a wrong type."""
        return cls.from_options(_read(variables))

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> HostSettings:
        """:param options: those that are set, in their types; others have their defaults."""
        return cls(
            **{
                name: options[name] if name in options else copy.deepcopy(schema.SETTINGS[schema.PREFIX + name].default)
                for name in _NAMES
            }
        )

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> HostSettings:
        return cls(**document)

    @property
    def tested_policy(self) -> Options:
        """The policy without the version that it asks for."""
        return {key: value for key, value in self.policy.items() if key != "kmp_version"}

    def build_start(self, evr: str, **more: t.Any) -> Options:
        """The options of livepatch that apply what was planned, though something newer has come out since.

        :param evr: version and release of the planned KMP.
        :param more: options that are not the host's.
        """
        return {
            "state": "latest",
            "allow_downgrade": self.allow_downgrade,
            "allow_unsupported": self.allow_unsupported,
            "repair_boot": self.repair_boot,
            **({} if self.kernel_lock is None else {"kernel_lock": self.kernel_lock}),
            "lock": self.lock,
            "preflight": True,
            "preflight_tolerate": list(self.preflight_tolerate),
            **self._build_change({**self.policy, "kmp_version": evr}),
            **more,
        }

    def build_rollback(self, **more: t.Any) -> Options:
        """Those that go back to the level that the host's journal names."""
        return {
            "state": "previous",
            "allow_downgrade": self.allow_downgrade,
            "allow_unsupported": self.allow_unsupported,
            "repair_boot": self.repair_boot,
            **self._build_change(self.tested_policy),
            **more,
        }

    def build_info(self, evr: str | None) -> Options:
        """The options of livepatch_info that ask the host how it is.

        :param evr: as above; None where the newest counts.
        """
        policy = self.policy if evr is None else {**self.policy, "kmp_version": evr}
        return {
            # Compared with the repository metadata that the KMP was selected from
            "refresh": "never",
            "lock_timeout": self.lock_timeout,
            "policy": dict(policy),
            "health_checks": dict(self.health_checks),
        }

    def build_probe(self) -> Options:
        """What a host is asked with in a soak, where another one's task asks it."""
        return {**self.build_info(None), "unreachable_timeout": self.unreachable_timeout}

    def build_confirmation(self, evr: str, **more: t.Any) -> Options:
        """Those that let the host's next boot have what was planned, though something newer has come out in the soak.

        :param evr: version and release of the planned KMP.
        :param more: options that are not the host's.
        """
        return {
            "state": "present",
            "confirm": True,
            **self._build_change({**self.policy, "kmp_version": evr}),
            **more,
        }

    def _build_change(self, policy: t.Mapping[str, t.Any]) -> Options:
        return {
            "timeout": self.timeout,
            "on_stall": self.on_stall,
            "lock_timeout": self.lock_timeout,
            # The plan was made from the metadata that the hosts have now.
            "refresh": "never",
            "policy": dict(policy),
        }


_NAMES = tuple(field.name for field in dataclasses.fields(HostSettings))


def read_settings(variables_by_host: Variables) -> dict[str, HostSettings]:
    """:raises PlanError: a setting of one of the hosts has a wrong type."""
    return {name: HostSettings.from_options(options) for name, options in read_options(variables_by_host).items()}


def read_options(variables_by_host: Variables) -> dict[str, Options]:
    """Those that are set, by host, without their prefix; a blank one is not.

    :raises PlanError: as ``read_settings``.
    """
    return {name: _read_of_host(name, variables) for name, variables in variables_by_host.items()}


def _read_of_host(name: str, variables: t.Mapping[str, t.Any]) -> Options:
    try:
        return _read(variables)
    except PlanError as exc:
        raise PlanError(f"host {name}: {exc}") from None


def _read(variables: t.Mapping[str, t.Any]) -> Options:
    given = {name: variables.get(schema.PREFIX + name) for name in _NAMES}
    return {
        name: schema.SETTINGS[schema.PREFIX + name].convert(value)
        for name, value in given.items()
        if not is_blank(value)
    }


def pack(settings_by_host: t.Mapping[str, HostSettings]) -> Options:
    """As the store keeps them: most hosts have the same, which is written once.

    :returns: ``values``, and of each of the ``hosts`` the index of its own.
    """
    return pack_options({name: dataclasses.asdict(settings) for name, settings in settings_by_host.items()})


def pack_options(options_by_host: t.Mapping[str, Options]) -> Options:
    """As ``pack``."""
    texts: dict[str, int] = {}
    hosts = {
        name: texts.setdefault(json.dumps(options, sort_keys=True), len(texts))
        for name, options in options_by_host.items()
    }
    return {"values": [json.loads(text) for text in texts], "hosts": hosts}


def unpack(packed: t.Mapping[str, t.Any]) -> dict[str, HostSettings]:
    """What ``pack`` has made, by host."""
    values = [HostSettings.from_document(document) for document in packed["values"]]
    return {name: values[index] for name, index in packed["hosts"].items()}


def unpack_options(packed: t.Mapping[str, t.Any]) -> dict[str, Options]:
    """The same, as options."""
    return {name: packed["values"][index] for name, index in packed["hosts"].items()}

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator says of a plan, checked. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _jmespath
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_counts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import HostSelection

if t.TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

HALT_SCOPES = ("rollout", "kmp", "cohort")
BUDGETS = ("batch", "wave", "cohort", "rollout", "lost", "unreachable")

# The options of livepatch_plan that make the plan, as Ansible's argument specification has them
OPTIONS: dict[str, t.Any] = {
    "waves": {"type": "list", "elements": "str", "required": True},
    "seed": {"type": "str", "default": ""},
    "max_in_flight": {"type": "int", "default": 100},
    "canaries": {"type": "str", "default": "1"},
    "max_per_wave": {"type": "str"},
    "max_per_domain": {"type": "str"},
    "max_per_group": {"type": "str"},
    "domain_keys": {"type": "list", "elements": "str", "default": []},
    "cohort_key": {"type": "str"},
    "filter": {"type": "str"},
    "kernel_versions": {"type": "str"},
    "levels": {"type": "str"},
    "prestaged": {"type": "bool", "default": False},
    "halt_scope": {"type": "str", "choices": list(HALT_SCOPES), "default": "rollout"},
    **{f"budget_{name}": {"type": "str", "default": "0" if name in ("wave", "lost") else None} for name in BUDGETS},
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """Numbers are as people give them: ``5`` or ``10%``, None for no limit.

    ``waves``: how large those after the canaries are; whoever is left is in one more. ``canaries``: how many of a
    cohort. ``max_per_domain``, ``max_per_group``: how many of one failure domain, or service, are in one wave.
    ``quarantine``: what must not be touched, each with ``kmp``, ``cohort``, ``host`` and ``reason``.
    """

    waves: tuple[str, ...]
    seed: str = ""
    max_in_flight: int = 100
    canaries: str = "1"
    max_per_wave: str | None = None
    max_per_domain: str | None = None
    max_per_group: str | None = None
    halt_scope: str = "rollout"
    budgets: t.Mapping[str, str | None] = dataclasses.field(default_factory=lambda: dict.fromkeys(BUDGETS))
    quarantine: tuple[t.Mapping[str, t.Any], ...] = ()
    selection: HostSelection = dataclasses.field(default_factory=HostSelection)
    selection_options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> Settings:
        """:param options: those of livepatch_plan, and ``quarantine``.
        :raises PlanError: one of them cannot be understood.
        """
        waves = tuple(_needed("livepatch_waves", size) for size in options["waves"])
        if options["max_in_flight"] < 1:
            raise PlanError(
                f"livepatch_max_in_flight is {options['max_in_flight']}: at least one host must be in flight"
            )
        caps = {name: host_counts.parse_count(f"livepatch_{name}", options[name]) for name in _CAPS}
        for name, value in caps.items():
            if value in ("0", "0%"):
                raise PlanError(f"livepatch_{name} is {value}: then no host could ever be in a wave")
        budgets = {
            name: host_counts.parse_count(
                "livepatch_budget" + ("" if name == "wave" else f"_{name}"), options[f"budget_{name}"]
            )
            for name in BUDGETS
        }
        selection = HostSelection(
            tuple(options["domain_keys"]),
            _expression("livepatch_cohort_key", options["cohort_key"]),
            _expression("livepatch_filter", options["filter"]),
            _range("livepatch_kernel_versions", options["kernel_versions"]),
            _range("livepatch_levels", options["levels"]),
            options["prestaged"],
        )
        return cls(
            waves,
            options["seed"],
            options["max_in_flight"],
            _needed("livepatch_canaries", options["canaries"]),
            halt_scope=options["halt_scope"],
            budgets=budgets,
            quarantine=tuple(options.get("quarantine") or ()),
            selection=selection,
            selection_options={
                name: options[name] for name in ("domain_keys", "cohort_key", "filter", "kernel_versions", "levels")
            },
            **caps,
        )

    def as_document(self) -> dict[str, t.Any]:
        """What a plan tells of how it was made."""
        names = ("seed", "max_in_flight", "canaries", *_CAPS, "halt_scope")
        told = {name: getattr(self, name) for name in names}
        return {**told, "waves": list(self.waves), "budgets": dict(self.budgets), **self.selection_options}


_CAPS = ("max_per_wave", "max_per_domain", "max_per_group")


def _needed(name: str, value: str) -> str:
    checked = host_counts.parse_count(name, value)
    if checked is None:
        raise PlanError(f"{name}: {value!r} is neither a number of hosts nor a share such as 25%")
    return checked


def _expression(name: str, text: str | None) -> t.Any:
    return _jmespath.compile_expression(name, text) if text else None


def _range(name: str, text: str | None) -> SpecifierSet | None:
    if not text:
        return None
    # It comes with ansible-core; where Ansible only looks at what the plugins import it is not there.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier as exc:
        raise PlanError(f"{name}: {text!r} is no range of versions such as '>=6.4, <6.12': {exc}") from exc

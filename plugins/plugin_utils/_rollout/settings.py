# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings that a plan is made by, parsed. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils import _jmespath
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import host_counts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.hosts import HostSelection
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import Outline
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.schema import SETTINGS

if t.TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

# How a reason begins why the quarantine keeps a host out
BARRED = "quarantine: "
BUDGETS = ("batch", "wave", "cohort", "rollout", "lost", "unreachable")
_CAPS = ("max_per_wave", "max_per_domain", "max_per_group")
# Options that select and group hosts, as a plan's document shows them
_SELECTION_OPTIONS = ("domain_keys", "cohort_key", "filter", "kernel_versions", "levels")
# The setting of each option that makes a plan
SETTING_NAMES = {
    **{
        option: f"livepatch_{option}"
        for option in ("waves", "seed", "max_in_flight", "canaries", "reserves", "halt_scope", "prestaged")
    },
    **{option: f"livepatch_{option}" for option in (*_CAPS, *_SELECTION_OPTIONS)},
    **{f"budget_{kind}": "livepatch_budget" if kind == "wave" else f"livepatch_budget_{kind}" for kind in BUDGETS},
}


@dataclasses.dataclass(frozen=True)
class QuarantineEntry:
    """What must not be touched, a host or a KMP (of one cohort or of all), and why."""

    reason: str
    kmp: str | None = None
    cohort: str | None = None
    host: str | None = None

    @classmethod
    def from_row(cls, row: t.Mapping[str, t.Any]) -> QuarantineEntry:
        """:param row: of the store."""
        return cls(str(row["reason"]), row.get("kmp"), row.get("cohort"), row.get("host"))


class Quarantine:
    """The entries of the quarantine, by what they bar."""

    def __init__(self, entries: t.Iterable[QuarantineEntry]) -> None:
        entries = list(entries)
        self._hosts = {entry.host: entry.reason for entry in entries if entry.host}
        self._kmps: dict[tuple[str | None, str | None], str] = {
            (entry.kmp, entry.cohort): entry.reason for entry in entries if entry.kmp and not entry.host
        }

    def explain(self, name: str, kmp: str | None, target: str) -> str | None:
        """Why a host is barred, None where it is not.

        :param kmp: what it is to get; ``target``: what its cohort comes to, by its ID.
        """
        reasons = (self._kmps.get((kmp, target)), self._kmps.get((kmp, None)), self._hosts.get(name))
        reason = next((reason for reason in reasons if reason is not None), None)
        return None if reason is None else f"{BARRED}{reason}; clear it with playbook quarantine"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Counts of hosts are ``5`` or ``10%``; where None is allowed it means no limit."""

    # Sizes of the waves after the canaries; the hosts that are left are one more wave
    waves: tuple[str, ...]
    seed: str = ""
    max_in_flight: int = 100
    # Of each cohort
    canaries: str = "1"
    # Of each cohort, who may take the place of a canary
    reserves: str = "0"
    max_per_wave: str | None = None
    # Hosts of one failure domain, or of one service, in one wave
    max_per_domain: str | None = None
    max_per_group: str | None = None
    halt_scope: str = "rollout"
    budgets: t.Mapping[str, str | None] = dataclasses.field(default_factory=lambda: dict.fromkeys(BUDGETS))
    quarantine: tuple[QuarantineEntry, ...] = ()
    selection: HostSelection = dataclasses.field(default_factory=HostSelection)
    # What ``selection`` was parsed from
    selection_options: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_values(
        cls, values: t.Mapping[str, t.Any], quarantine: t.Iterable[t.Mapping[str, t.Any]], prestaged: bool
    ) -> Settings:
        """As ``from_options``.

        :param values: by setting.
        :param prestaged: whether hosts that have not downloaded their KMP are left out.
        """
        options = {option: values[name] for option, name in SETTING_NAMES.items()}
        return cls.from_options({**options, "prestaged": prestaged}, quarantine)

    @classmethod
    def from_options(
        cls, options: t.Mapping[str, t.Any], quarantine: t.Iterable[t.Mapping[str, t.Any]] = ()
    ) -> Settings:
        """Parse and check the options of a plan.

        :param quarantine: the store's rows.
        :raises PlanError: an option cannot be understood.
        """
        waves = tuple(host_counts.require_count("livepatch_waves", size, least=1) for size in options["waves"])
        if options["max_in_flight"] < 1:
            raise PlanError(f"livepatch_max_in_flight is {options['max_in_flight']}: set it to 1 or more")
        caps = {cap: host_counts.parse_count(f"livepatch_{cap}", options[cap], least=1) for cap in _CAPS}
        # A blank budget must not lift the limit.
        budgets = {
            kind: host_counts.parse_count(SETTING_NAMES[f"budget_{kind}"], options[f"budget_{kind}"])
            or SETTINGS[SETTING_NAMES[f"budget_{kind}"]].default
            for kind in BUDGETS
        }
        selection = HostSelection(
            tuple(options["domain_keys"]),
            _parse_expression("livepatch_cohort_key", options["cohort_key"]),
            _parse_expression("livepatch_filter", options["filter"]),
            _parse_range("livepatch_kernel_versions", options["kernel_versions"]),
            _parse_range("livepatch_levels", options["levels"]),
            options["prestaged"],
        )
        return cls(
            waves,
            options["seed"],
            options["max_in_flight"],
            host_counts.require_count("livepatch_canaries", options["canaries"], least=1),
            host_counts.require_count("livepatch_reserves", options["reserves"]),
            halt_scope=options["halt_scope"],
            budgets=budgets,
            quarantine=tuple(QuarantineEntry.from_row(row) for row in quarantine),
            selection=selection,
            selection_options={option: options[option] for option in _SELECTION_OPTIONS},
            **caps,
        )

    def as_document(self) -> dict[str, t.Any]:
        """The settings as a plan's document has them."""
        names = ("seed", "max_in_flight", "canaries", "reserves", *_CAPS, "halt_scope")
        document = {name: getattr(self, name) for name in names}
        return {**document, "waves": list(self.waves), "budgets": dict(self.budgets), **self.selection_options}


def read_defaults() -> dict[str, t.Any]:
    """The options of a plan for which nothing is set."""
    return {option: SETTINGS[name].default for option, name in SETTING_NAMES.items()}


def read_plan_document(document: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The settings of a plan's document, by their names, those that it has."""
    budgets = {f"budget_{kind}": value for kind, value in document.get("budgets", {}).items()}
    values = {**document, **budgets}
    return {name: values[option] for option, name in SETTING_NAMES.items() if option in values}


def apply_values(outline: Outline, values: t.Mapping[str, t.Any]) -> Outline:
    """A plan's outline with what steps follow of its settings as the rollout goes by it now.

    :param values: by setting; empty where the plan's own hold.
    """
    if not values:
        return outline
    changed = dataclasses.replace(
        outline.settings,
        max_in_flight=values[SETTING_NAMES["max_in_flight"]],
        halt_scope=values[SETTING_NAMES["halt_scope"]],
        budgets={
            kind: host_counts.parse_count(name, values[name]) or SETTINGS[name].default
            for kind, name in ((kind, SETTING_NAMES[f"budget_{kind}"]) for kind in BUDGETS)
        },
    )
    return dataclasses.replace(outline, settings=changed)


def _parse_expression(name: str, text: str | None) -> t.Any:
    return _jmespath.compile_expression(name, text) if text else None


def _parse_range(name: str, text: str | None) -> SpecifierSet | None:
    if not text:
        return None
    # packaging comes with ansible-core, and is missing where Ansible only checks what the plugins import.
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(text)
    except InvalidSpecifier as exc:
        raise PlanError(f"{name} is {text!r}: set a range of versions such as '>=6.4, <6.12' ({exc})") from exc

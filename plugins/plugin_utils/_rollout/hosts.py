# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts of a rollout, read from the results that Ansible holds. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._state import PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _jmespath
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer, Facts
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._options import is_blank
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.schema import SETTINGS

if t.TYPE_CHECKING:
    # Needed only where ranges are set, see settings
    from packaging.specifiers import SpecifierSet

# Where the operator sets none: hosts that go first and hosts that go last are both marked.
DEFAULT_CRITICALITY: float = SETTINGS["livepatch_criticality"].default


@dataclasses.dataclass(frozen=True)
class Host:
    """One host before the rollout."""

    name: str
    state: str
    reason: str
    release: str | None = None
    build_id: str | None = None
    arch: str | None = None
    flavor: str | None = None
    # The active one
    level: int | None = None
    # The one to install, as name-evr
    kmp: str | None = None
    boot_id: str | None = None
    # ID of the rollout that last changed the host, from its journal
    rollout: str | None = None
    # The operator wants it to be a canary
    canary: bool = False
    # There are KMPs for its kernel, and all of them were rejected
    refused: bool = False
    up_to_date: bool = False
    # What is active is kept out of the next boot: the rollout that applied it ended before its gate
    unconfirmed: bool = False
    # From 0, which goes first, to 1
    criticality: float = DEFAULT_CRITICALITY
    # Its failure domains, as key=value
    domains: tuple[str, ...] = ()
    # The services that it is a part of
    groups: tuple[str, ...] = ()
    # What livepatch_cohort_key adds to its cohort, as JSON
    key: str | None = None
    # Why the operator's selection leaves it out
    left_out: str | None = None
    # What is open, and closed by the KMP; None where that is not known
    cves: tuple[str, ...] | None = None

    @property
    def settled(self) -> bool:
        """Nothing is left to do here, or nothing can be done, and no operator has to look at it."""
        return self.up_to_date or (self.state == "not_covered" and not self.refused)

    @property
    def patchable(self) -> bool:
        """Something is to be done here, if only to confirm at its gate what an earlier rollout has applied."""
        if self.up_to_date:
            # Without a KMP that the policy admits, there is none to plan with.
            return self.unconfirmed and self.kmp is not None
        return self.state in PATCHABLE and self.kmp is not None


@dataclasses.dataclass(frozen=True)
class HostSelection:
    """The operator's settings about hosts: what they are grouped by, and which are left out."""

    # Names of variables whose values are failure domains
    domain_keys: tuple[str, ...] = ()
    # JMESPath over a host's facts (name, kernel, kmp, livepatch)
    cohort_key: t.Any = None
    # The same
    filter_: t.Any = None
    # Of the kernel's upstream version
    kernel_versions: SpecifierSet | None = None
    # Of the level to install
    levels: SpecifierSet | None = None
    # Only hosts that have downloaded their KMP
    prestaged: bool = False


def parse_host(
    name: str,
    variables: t.Mapping[str, t.Any],
    answer: Answer | None,
    selection: HostSelection = HostSelection(),
) -> Host:
    """The host by its answer to livepatch_info; without facts in it the state is ``unknown``, with the reason.

    :param variables: the host's, with livepatch_canary, livepatch_criticality and livepatch_service_group.
    :raises PlanError: one of them cannot be understood.
    """
    marks: dict[str, t.Any] = {
        "canary": _parse_canary_mark(name, variables),
        "criticality": _parse_criticality(name, variables),
        "domains": tuple(f"{key}={variables[key]}" for key in selection.domain_keys if variables.get(key) is not None),
        "groups": _parse_groups(name, variables),
    }
    facts = answer.facts if answer else None
    if facts is None:
        problem = answer and (answer.problem or answer.describe_error(variables))
        return Host(name, "unknown", problem or "no facts were gathered", **marks)
    kernel, kmp, livepatch = facts.kernel, facts.kmp, facts.livepatch
    journal = livepatch.journal
    return Host(
        name,
        livepatch.state,
        livepatch.reason,
        release=kernel.release,
        build_id=kernel.build_id,
        arch=kernel.arch,
        flavor=kernel.flavor,
        level=livepatch.level,
        kmp=str(kmp.selected) if kmp.selected else None,
        boot_id=kernel.boot_id,
        rollout=journal.rollout if journal else None,
        refused=kmp.selected is None and kmp.has_rejected,
        up_to_date=livepatch.compliance.up_to_date is True,
        unconfirmed=journal is not None and journal.phase == _journal.SOAKING,
        key=_compute_key(name, facts, selection),
        left_out=_explain_left_out(name, facts, selection),
        cves=livepatch.compliance.cves_open,
        **marks,
    )


def _get_variable(variables: t.Mapping[str, t.Any], name: str, default: t.Any) -> t.Any:
    """A host's variable; blank and null mean the default."""
    value = variables.get(name)
    return default if is_blank(value) else value


def _parse_canary_mark(name: str, variables: t.Mapping[str, t.Any]) -> bool:
    value = _get_variable(variables, "livepatch_canary", False)
    try:
        return bool(boolean(value))
    except TypeError as exc:
        raise PlanError(f"livepatch_canary of host {name} is {value!r}: set true or false") from exc


def _parse_criticality(name: str, variables: t.Mapping[str, t.Any]) -> float:
    value = _get_variable(variables, "livepatch_criticality", DEFAULT_CRITICALITY)
    try:
        # An unquoted `on` or `yes` of YAML 1.1 would be 1
        criticality = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        criticality = -1.0
    if not 0 <= criticality <= 1:
        raise PlanError(
            f"livepatch_criticality of host {name} is {value!r}: set a number from 0 (goes first) to 1 (goes last)"
        )
    return criticality


def _parse_groups(name: str, variables: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    value = _get_variable(variables, "livepatch_service_group", [])
    groups = [value] if isinstance(value, str) else value
    if not isinstance(groups, (list, tuple)) or not all(isinstance(group, str) for group in groups):
        raise PlanError(f"livepatch_service_group of host {name} is {value!r}: set a name or a list of names")
    return tuple(group for group in groups if not is_blank(group))


def _search_facts(expression: t.Any, name: str, facts: Facts, setting: str) -> t.Any:
    data = {"name": name, **facts.blocks}
    return _jmespath.search_data(expression, data, f"{setting} fails on the facts of host {name}")


def _compute_key(name: str, facts: Facts, selection: HostSelection) -> str | None:
    if selection.cohort_key is None:
        return None
    key = _search_facts(selection.cohort_key, name, facts, "livepatch_cohort_key")
    try:
        return json.dumps(key, sort_keys=True)
    except TypeError as exc:  # JMESPath's references to expressions
        raise PlanError(f"livepatch_cohort_key gives no value for host {name}: set an expression that does") from exc


def _explain_left_out(name: str, facts: Facts, selection: HostSelection) -> str | None:
    if selection.filter_ is not None and not _search_facts(selection.filter_, name, facts, "livepatch_filter"):
        return "livepatch_filter does not match"
    if selection.kernel_versions is not None:
        release = facts.kernel.release
        upstream = re.match(r"\d+(\.\d+)*", release)
        if upstream is None or not selection.kernel_versions.contains(upstream.group()):
            return f"livepatch_kernel_versions ({selection.kernel_versions}) does not include kernel {release}"
    selected = facts.kmp.selected
    if selection.levels is not None and selected is not None:
        level = selected.level
        if level is None or not selection.levels.contains(str(level)):
            return f"livepatch_levels ({selection.levels}) does not include level {'none' if level is None else level}"
    if selection.prestaged and selected is not None and not selected.downloaded:
        return "livepatch_prestaged is set, and its KMP is not downloaded: run playbook prestage"
    return None

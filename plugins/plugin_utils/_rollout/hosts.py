# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout knows of each host, taken from the results that Ansible holds. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._state import PATCHABLE
from ansible_collections.fleet.livepatch.plugins.plugin_utils import _jmespath, _task_errors
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError

if t.TYPE_CHECKING:
    # Only who gives ranges needs it, see settings
    from packaging.specifiers import SpecifierSet


@dataclasses.dataclass(frozen=True)
class Host:
    """One host before the rollout. ``kmp`` is the one that is wanted, as name-evr; ``level`` the active one.

    ``unconfirmed``: what is active is kept out of the next boot; whoever applied it has gone away before its gate.
    ``rollout``: the one by which something was last begun on it, as its journal tells.
    ``refused``: there are KMPs of the right name, and none of them was taken.
    ``criticality``: from 0, goes first, to 1.
    ``domains``: failure domains that it is in, as ``key=value``; ``groups``: services that it is a part of.
    ``key``: what else its cohort is told by. ``left_out``: why the operator wants it
    in no wave.
    """

    name: str
    state: str
    reason: str
    release: str | None = None
    build_id: str | None = None
    arch: str | None = None
    flavor: str | None = None
    level: int | None = None
    kmp: str | None = None
    boot_id: str | None = None
    rollout: str | None = None
    canary: bool = False
    refused: bool = False
    up_to_date: bool = False
    unconfirmed: bool = False
    criticality: float = 0.5
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    key: str | None = None
    left_out: str | None = None

    @property
    def settled(self) -> bool:
        """Nothing is left to do here, or nothing can be done, and nobody has to look at it."""
        return self.up_to_date or (self.state == "not_covered" and not self.refused)

    @property
    def patchable(self) -> bool:
        """Something is to be done here, be it only that what a rollout has left behind comes to its gate."""
        if self.up_to_date:
            # Where the policy admits no KMP any more, there is none to plan with.
            return self.unconfirmed and self.kmp is not None
        return self.state in PATCHABLE and self.kmp is not None


@dataclasses.dataclass(frozen=True)
class HostSelection:
    """What the operator says of hosts, besides what is true of them.

    ``domain_keys`` name variables; ``cohort_key`` and ``filter_`` are JMESPath over the host's facts (``name``,
    ``kernel``, ``kmp``, ``livepatch``); ``kernel_versions`` is a range of the kernel's upstream version, ``levels``
    one of the level to install. ``prestaged``: only hosts that have their KMP's file already.
    """

    domain_keys: tuple[str, ...] = ()
    cohort_key: t.Any = None
    filter_: t.Any = None
    kernel_versions: SpecifierSet | None = None
    levels: SpecifierSet | None = None
    prestaged: bool = False


def get_evr(kmp: str) -> str:
    """The version and release of a ``kmp``, which is name-evr. An EVR has one dash."""
    return "-".join(kmp.split("-")[-2:])


def parse_host(
    name: str,
    variables: t.Mapping[str, t.Any],
    result: t.Mapping[str, t.Any] | None,
    selection: HostSelection = HostSelection(),
) -> Host:
    """Reads a result of ``livepatch_survey``; a host that gave no answer is ``unknown``, with the reason.

    :param variables: the host's variables. ``livepatch_canary`` is the operator's mark, ``livepatch_criticality`` from
        0 to 1 says who goes last, ``livepatch_service_group`` of which services it is a part.
    :raises PlanError: one of them cannot be understood.
    """
    said: dict[str, t.Any] = {
        "canary": _mark(name, variables),
        "criticality": _parse_criticality(name, variables),
        "domains": tuple(f"{key}={variables[key]}" for key in selection.domain_keys if variables.get(key) is not None),
        "groups": _groups(variables.get("livepatch_service_group")),
    }
    if result is None or "livepatch" not in result:
        problem = (result or {}).get("problem") or _task_errors.describe_error(result, variables) or "it was not asked"
        return Host(name, "unknown", problem, **said)
    kernel, kmp, livepatch = result["kernel"], result["kmp"], result["livepatch"]
    selected = kmp["selected"]
    return Host(
        name,
        livepatch["state"],
        livepatch["reason"],
        release=kernel["release"],
        build_id=kernel["build_id"],
        arch=kernel["arch"],
        flavor=kernel["flavor"],
        level=livepatch["level"],
        kmp=f"{selected['name']}-{selected['evr']}" if selected else None,
        boot_id=kernel["boot_id"],
        rollout=(livepatch["journal"] or {}).get("rollout"),
        refused=selected is None and bool(kmp["rejected"]),
        up_to_date=livepatch["compliance"]["up_to_date"] is True,
        unconfirmed=(livepatch["journal"] or {}).get("phase") == _journal.SOAKING,
        key=_key(name, result, selection),
        left_out=_left_out(name, result, selection),
        **said,
    )


def _mark(name: str, variables: t.Mapping[str, t.Any]) -> bool:
    try:
        return bool(boolean(variables.get("livepatch_canary", False)))
    except TypeError as exc:
        raise PlanError(f"livepatch_canary of {name}: {exc}") from exc


def _parse_criticality(name: str, variables: t.Mapping[str, t.Any]) -> float:
    """Of who says nothing, in the middle: who goes first and who goes last are both marked."""
    given = variables.get("livepatch_criticality", 0.5)
    try:
        criticality = float(given)
    except (TypeError, ValueError):
        criticality = -1.0
    if not 0 <= criticality <= 1:
        raise PlanError(
            f"livepatch_criticality of {name} is {given!r}: it is a number from 0 (goes first) to 1 (goes last)"
        )
    return criticality


def _groups(given: t.Any) -> tuple[str, ...]:
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(str(one) for one in given)


def _search(expression: t.Any, name: str, result: t.Mapping[str, t.Any], what: str) -> t.Any:
    facts = {"name": name, **{key: result[key] for key in ("kernel", "kmp", "livepatch")}}
    return _jmespath.search_data(expression, facts, f"{what} does not work with {name}")


def _key(name: str, result: t.Mapping[str, t.Any], selection: HostSelection) -> str | None:
    if selection.cohort_key is None:
        return None
    return json.dumps(_search(selection.cohort_key, name, result, "livepatch_cohort_key"), sort_keys=True)


def _left_out(name: str, result: t.Mapping[str, t.Any], selection: HostSelection) -> str | None:
    if selection.filter_ is not None and not _search(selection.filter_, name, result, "livepatch_filter"):
        return "livepatch_filter does not admit it"
    if selection.kernel_versions is not None:
        upstream = re.match(r"\d+(\.\d+)*", str(result["kernel"]["release"]))
        if upstream is None or not selection.kernel_versions.contains(upstream.group()):
            return f"livepatch_kernel_versions ({selection.kernel_versions}) do not admit {result['kernel']['release']}"
    selected = result["kmp"]["selected"]
    if selection.levels is not None and selected is not None:
        level = selected["level"]
        if level is None or not selection.levels.contains(str(level)):
            return f"livepatch_levels ({selection.levels}) do not admit level {level}"
    if selection.prestaged and selected is not None and not selected["downloaded"]:
        return "livepatch_prestaged is set, and its KMP has not been downloaded (playbook prestage)"
    return None

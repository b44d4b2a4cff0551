# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wave that a gate is asked about. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class GateContext:
    """Hosts are given by the names that monitoring knows them by."""

    rollout: str
    plan: str
    wave: int
    # The wave's hosts that are healthy
    patched: tuple[str, ...]
    # Hosts of the same cohorts that are not patched yet; where there are none, those of earlier waves
    control: tuple[str, ...]
    # When the rollout began, in seconds since the epoch
    began: float

    def as_json(self) -> dict[str, t.Any]:
        return {"rollout": self.rollout, "plan": self.plan, "wave": self.wave, "hosts": list(self.patched)}


def build_hosts_pattern(hosts: t.Sequence[str]) -> str:
    """A regular expression for PromQL's ``=~`` that matches these hosts, with a port behind the name or without, to
    be put between double quotes. It matches nothing where there are no hosts.
    """
    names = "|".join(re.escape(host).replace("\\-", "-") for host in hosts)
    text = f"({names})(:[0-9]+)?" if hosts else r"[^\s\S]"
    # Escaped for PromQL's quotes
    return text.replace("\\", "\\\\").replace('"', '\\"')

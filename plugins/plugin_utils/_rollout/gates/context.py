# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a gate is about. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t


@dataclasses.dataclass(frozen=True)
class GateContext:
    """``patched``: the wave's hosts that are well; ``control``: hosts of the same cohorts that are not patched yet, or
    where there are none those of earlier waves; both by the names that monitoring knows them by. ``began``: when the
    rollout began, in seconds since the epoch.
    """

    rollout: str
    plan: str
    wave: int
    patched: tuple[str, ...]
    control: tuple[str, ...]
    began: float

    def as_json(self) -> dict[str, t.Any]:
        return {"rollout": self.rollout, "plan": self.plan, "wave": self.wave, "hosts": list(self.patched)}


def build_hosts_pattern(hosts: t.Sequence[str]) -> str:
    """A regular expression for PromQL's ``=~`` that matches these hosts, with a port behind the name or without, to
    be put between double quotes. It matches nothing where there are none.
    """
    names = "|".join(re.escape(host).replace("\\-", "-") for host in hosts)
    text = f"({names})(:[0-9]+)?" if hosts else r"[^\s\S]"
    # As it stands between PromQL's quotes
    return text.replace("\\", "\\\\").replace('"', '\\"')

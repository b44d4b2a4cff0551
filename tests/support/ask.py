# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of the collection, run on one host of the lab."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support.controller import Controller

JOURNAL = "/var/lib/fleet.livepatch/journal.json"


class Ask:
    """``ask("livepatch", level=2)`` returns the module's result, a failure's too."""

    def __init__(self, lab: Lab, controller: Controller, host: Host) -> None:
        self.lab, self.controller, self.host = lab, controller, host

    def __call__(self, module: str, **options: t.Any) -> Mapping[str, t.Any]:
        return self.controller.module(module, self.lab.inventory, self.host.name, options)[self.host.name]

    def add(self, repository: str) -> None:
        """Offer it another repository, until `forget`."""
        self.host.ssh(f"sudo zypper -n ar {self.lab.repository.url(repository)} odd")

    def forget(self) -> None:
        self.host.ssh("sudo zypper -n rr odd; sudo rm -rf /var/cache/zypp/packages/odd")

    def livepatch(self) -> Mapping[str, t.Any]:
        """What is true of its live patch."""
        told: Mapping[str, t.Any] = self("livepatch_info", refresh="never")["livepatch"]
        return told

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all steps of one change share: the host, its kernel, the request and the journal. PRIVATE to the collection."""

from typing import Any, Dict, List, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NotDone
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers, transaction_check
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import PackageManager


class Context:
    """One run of the module on one host.

    :param mechanism: None for a kernel that cannot be live patched.
    """

    def __init__(self, host: Host, mechanism: Optional[Mechanism], kernel: Dict[str, Any], request: Request) -> None:
        self.host = host
        self.kernel = kernel
        self.request = request
        self.optional_mechanism = mechanism
        self.journal = _journal.Journal(host)
        self.warnings: List[str] = []
        # When this run began to change something, by the host's clock
        self.started = host.clock()

    @property
    def mechanism(self) -> Mechanism:
        if self.optional_mechanism is None:
            raise NotDone("this kernel cannot be live patched")
        return self.optional_mechanism

    @property
    def manager(self) -> PackageManager:
        return managers.find_manager(self.host, self.request.policy)

    @property
    def loses_support(self) -> bool:
        """Whether disabling a patch marks the kernel as unsupported, as SUSE's patches do."""
        return self.manager.name == "zypper"

    @property
    def has_begun(self) -> bool:
        """Whether this run has recorded a change of its own."""
        return self.journal.open

    def find_installed(self, name: str, evr: str) -> Optional[Dict[str, Any]]:
        """The KMP in exactly this version; another version may be installed beside it."""
        return next((kmp for kmp in packages.list_installed(self.host, name) if kmp["evr"] == evr), None)

    def find_newest_installed(self) -> Optional[Dict[str, Any]]:
        """The newest installed KMP of the running kernel."""
        for name in self.manager.list_kmp_names(self.kernel["release"]):
            installed = packages.list_installed(self.host, name)
            if installed:
                return installed[0]
        return None

    def find_active_evr(self, name: str, modules: List[str]) -> Optional[str]:
        """The EVR of the installed KMP whose module is one of these."""
        return next((kmp["evr"] for kmp in packages.list_installed(self.host, name) if kmp["module"] in modules), None)

    def remove_package(self, name: str, evr: str) -> None:
        """Remove exactly this KMP.

        :raises TransactionRefused: its removal would do something else as well.
        """
        transaction_check.check_removal(self.manager.preview_removal(name, evr), name, evr)
        self.manager.remove(name, evr)


def format_kmp(kmp: Dict[str, Any]) -> str:
    """``NAME-EVR``, by which the journal names a KMP."""
    return "{name}-{evr}".format(**kmp)

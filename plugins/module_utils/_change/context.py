# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all steps of one change share: the host, its kernel, the request and the journal. PRIVATE to the collection."""

from typing import Any, Dict, List, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NotDone, PackageDiffers
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import managers, rpm, transaction_check
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
        return managers.find_manager(self.host, self.request.policy.lock_timeout)

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
        return next((kmp for kmp in self.list_installed(name) if kmp["evr"] == evr), None)

    def list_installed(self, name: str) -> List[Dict[str, Any]]:
        """The installed KMPs of this name for the kernel's architecture, newest first."""
        own = (self.kernel["arch"], "noarch")
        return [kmp for kmp in packages.list_installed(self.host, name) if kmp["arch"] in own]

    def find_newest_installed(self) -> Optional[Dict[str, Any]]:
        """The newest installed KMP of the running kernel."""
        for name in self.manager.list_kmp_names(self.kernel["release"]):
            installed = self.list_installed(name)
            if installed:
                return installed[0]
        return None

    def find_active_evr(self, name: str, modules: List[str]) -> Optional[str]:
        """The EVR of the installed KMP whose module is one of these."""
        return next((kmp["evr"] for kmp in self.list_installed(name) if kmp["module"] in modules), None)

    def remove_package(self, kmp: Dict[str, Any]) -> None:
        """Remove exactly this KMP.

        :raises TransactionRefused: its removal would do something else as well.
        """
        package = rpm.Package(kmp["name"], kmp["evr"], kmp["arch"])
        transaction_check.check_removal(self.manager.preview_removal(package), package)
        self.manager.remove(package)

    def install_files(self, files: Sequence[packages.ExaminedFile], older: bool) -> None:
        """Install these files, and check that the RPM database has just these packages afterwards.

        :raises PackageDiffers: it has another one of that name.
        """
        self.manager.install_files([file.path for file in files], older, any(file.unsigned for file in files))
        problems = [packages.find_difference(self.host, file) for file in files]
        problem = next((problem for problem in problems if problem is not None), None)
        if problem is not None:
            raise PackageDiffers(problem, "Nothing was loaded. Find out what else installs packages on this host")


def format_kmp(kmp: Dict[str, Any]) -> str:
    """``NAME-EVR``, by which the journal names a KMP."""
    return "{name}-{evr}".format(**kmp)

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a KMP that is on the host, installed or only downloaded. PRIVATE: it may change at any time."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Malformed
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import signing
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import module_file, payload, rpm


class PackageContents(NamedTuple):
    content: rpm.Content
    # "good", "unsigned", "unknown_key" or "bad"
    signature: str
    # None where the host does not trust its key (any more)
    signer: Optional[rpm.Signer]
    # None where the package holds no module
    path: Optional[str]
    module: Optional[module_file.ModuleFile]
    # Why the running kernel would refuse the module, None where it would not
    unloadable: Optional[str] = None


def read_installed(host: Host, content: rpm.Content, keys: rpm.Keys) -> PackageContents:
    """:raises Unmeasured: its module cannot be read."""
    paths = [path for path in content.files if _kmp_names.is_module(path)]
    _require_single_module(content, paths)
    path = paths[0] if paths else None
    # RPM verified it at its installation: a key that was withdrawn since then does not change that.
    signature = "unsigned" if content.signature is None else "good"
    module = module_file.read_module(host, path) if path else None
    return PackageContents(content, signature, rpm.find_signer(content.signature, keys), path, module)


def read_file(
    host: Host,
    path: str,
    package: rpm.Package,
    kernel: Dict[str, Any],
    keys: rpm.Keys,
    is_trusted: Callable[[rpm.Signer], bool],
    allow_unsigned: bool = False,
) -> PackageContents:
    """Read a package's file; nothing of it is run, and nothing is written.

    Its signature is checked first: a file that anybody can have made is not opened.

    :param package: the package that it should be.
    :param is_trusted: whether a KMP may have this signer.
    :param allow_unsigned: whether the operator takes it unsigned.
    :raises Unmeasured: it cannot be read.
    """
    unopened = rpm.Content(package, None, None, [], [], "")
    signature, content, signer = rpm.verify_file(host, path, keys, allow_unsigned)
    if content is None:
        return PackageContents(unopened, signature, None, None, None)
    if content.package != package:
        return PackageContents(unopened, "bad", None, None, None)
    if signer is not None and not is_trusted(signer):
        # What it holds does not matter.
        return PackageContents(unopened, signature, signer, None, None)
    try:
        modules = payload.extract_files(host, path, _kmp_names.is_module)
        _require_single_module(content, list(modules))
        for name, data in modules.items():
            module = module_file.parse_module(host, data, name)
            unloadable = signing.explain_refusal(host, kernel, module.signed, module.signer)
            return PackageContents(content, signature, signer, name, module, unloadable)
    except Malformed as exc:
        # No fault of this host's: an older KMP may do.
        return PackageContents(content, signature, signer, None, None, str(exc))
    return PackageContents(content, signature, signer, None, None)


def _require_single_module(content: rpm.Content, paths: List[str]) -> None:
    if len(paths) > 1 or (not paths and not _kmp_names.is_empty(*content.package[:2])):
        raise Malformed(
            "{}-{} holds {} livepatch modules, not one".format(*content.package[:2], len(paths)),
            "Report it to the vendor of the KMP",
        )

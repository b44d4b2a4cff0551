# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is seen of a KMP once it is on the host, installed or only downloaded. PRIVATE: it may change at any time."""

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import signing
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import module_file, payload, rpm


# signature: "good", "unsigned", "unknown_key" or "bad"; signer: the owner of its key. path, module: None where the
# package holds no module. unloadable: why the running kernel would not take the module.
class Inside(NamedTuple):
    content: rpm.Content
    signature: str
    signer: Optional[str]
    path: Optional[str]
    module: Optional[module_file.ModuleFile]
    unloadable: Optional[str] = None


def of_installed(host: Host, content: rpm.Content, keys: Dict[str, str]) -> Inside:
    """:raises Unmeasured: its module cannot be read."""
    paths = [path for path in content.files if _kmp_names.is_module(path)]
    _insist_on_one(content, paths)
    path = paths[0] if paths else None
    # RPM verified it when it was installed: a key that was withdrawn since then does not undo that.
    signature = "unsigned" if content.signature is None else "good"
    module = module_file.read(host, path) if path else None
    return Inside(content, signature, keys.get(rpm.key_id(content.signature) or ""), path, module)


def of_file(host: Host, path: str, package: rpm.Package, kernel: Dict[str, Any], keys: Dict[str, str]) -> Inside:
    """Looks into a package's file; nothing of it is run, and nothing is written.

    :param package: the one that it is said to be.
    :raises Unmeasured: it cannot be read.
    """
    signature = rpm.check(host, path)
    if signature == "bad":
        # Nothing that is read from it can be relied upon.
        return Inside(rpm.Content(package, None, None, [], [], ""), signature, None, None, None)
    content = rpm.in_file(host, path)
    if content.package != package:
        raise Unmeasured(
            "{} holds {}-{}.{}, not {}-{}.{}".format(path, *content.package, *package), "Mend the repository"
        )
    found = payload.files(host, path, _kmp_names.is_module)
    _insist_on_one(content, list(found))
    signer = keys.get(rpm.key_id(content.signature) or "")
    for name, data in found.items():
        module = module_file.unpacked(data, name)
        unloadable = signing.refusal(host, kernel, module.signed, module.signer)
        return Inside(content, signature, signer, name, module, unloadable)
    return Inside(content, signature, signer, None, None)


def _insist_on_one(content: rpm.Content, paths: List[str]) -> None:
    if len(paths) > 1 or (not paths and not _kmp_names.is_empty(*content.package[:2])):
        raise Unmeasured(
            "{}-{} holds {} livepatch modules, not one".format(*content.package[:2], len(paths)),
            "Report it to who built the KMP",
        )

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The level before the last change, as the host's journal names it. PRIVATE to the collection."""

from ansible_collections.fleet.livepatch.plugins.module_utils import _journal, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, NoWayBack
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import mechanisms
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import policy as policies


def resolve_previous(host: Host, request: Request) -> Request:
    """The request, whose state is ``previous``, with what that means on this host.

    :raises NoWayBack: there is no way back that the vendor supports.
    """
    if request.policy.level is not None or request.policy.kmp_version is not None:
        raise BadOption(
            "state is previous, and a level or version is given",
            "Leave it out: the host's journal names the previous one",
        )
    entry = _journal.Journal(host).read()
    if request.plan is not None and (entry is None or entry["plan"] != request.plan):
        return request._replace(skip_reason="the last change of this host was not made for this plan")
    if entry is None or entry["kmp"] is None:
        raise NoWayBack(
            "there is nothing to go back from: the journal names no KMP that was applied", "Nothing was done"
        )
    name, evr = _kmp_names.split_kmp(entry["kmp"])
    if entry.get("back"):
        # The host has gone back, or was on its way: going back once more would be going forth again.
        policy = policies.build_rollback_policy(request.policy, kmp_version=evr)
    elif entry["previous"] not in (None, evr):
        # A change that names itself knows of nothing before it: staying would be reported as having gone back.
        policy = policies.build_rollback_policy(request.policy, kmp_version=entry["previous"])
    elif _is_undone(host, name, evr):
        return request._replace(skip_reason="there was no live patch before, and the last change left nothing behind")
    elif name.startswith(("kernel-livepatch-", "kgraft-patch-")) and _kmp_names.derive_module_name(name, evr):
        # SUSE: the initial KMP replaces everything with nothing.
        policy = policies.build_rollback_policy(request.policy, level=1)
    else:
        raise NoWayBack(
            "the journal names no other KMP that was active before {kmp}, and the vendor advises against unloading "
            "one".format(**entry),
            "Nothing was done: reboot the host at a convenient time, or remove the patch (state: absent)",
        )
    return request._replace(state="latest", policy=policy, is_rollback=True)


def _is_undone(host: Host, name: str, evr: str) -> bool:
    """Whether no patch is active, and this KMP is not installed: a change that failed was undone."""
    mechanism = mechanisms.find_mechanism(host)
    if mechanism is not None and any(patch.enabled or patch.transition for patch in mechanism.list_patches()):
        return False
    return all(kmp["evr"] != evr for kmp in packages.list_installed(host, name))

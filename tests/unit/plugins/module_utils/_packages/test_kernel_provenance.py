# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kernel_provenance, rpm
from tests.support import factories


def _trace(machine: Any) -> kernel_provenance.Origin:
    return kernel_provenance.trace_kernel(machine, _kernel_facts.gather_kernel(machine), rpm.list_keys(machine))


def test_traced(machine: Any) -> None:
    found = _trace(machine)
    assert found.problem is None
    assert found.witnesses == [
        "/boot/vmlinuz-6.1.0-56-cloud-amd64 is the running kernel, by its build id",
        "/boot/vmlinuz-6.1.0-56-cloud-amd64 is as kernel-cloud-amd64-6.1.0-56.1.x86_64 holds it, by its sha256",
        "kernel-cloud-amd64-6.1.0-56.1.x86_64 is signed by the lab's key ({})".format(factories.fingerprint("lab")),
    ]
    assert (found.vendor, found.signer) == ("the lab", (factories.fingerprint("lab"), "the lab's key"))
    assert ("kernel", "=", "6.1.0-56") in (found.provides or [])


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda one: one.remove("/boot/vmlinuz-" + one.release), "is not installed"),
        (
            lambda one: one.put("/boot/vmlinuz-" + one.release, factories.vmlinux("7f" * 20)),
            "is not the running kernel",
        ),
        (lambda one: one.put("/boot/vmlinuz-" + one.release, b"MZ nothing"), "is the running kernel is unknown"),
        (lambda one: setattr(one, "package", None), "no RPM package owns /boot/vmlinuz"),
        (lambda one: one.package.update(digest=""), "has no digest of /boot/vmlinuz"),
        (lambda one: one.package.update(digest="00"), "is not as kernel-cloud-amd64-6.1.0-56.1.x86_64 holds it"),
        (lambda one: one.package.update(signature="(none)"), "kernel-cloud-amd64-6.1.0-56.1.x86_64 is not signed"),
        (lambda one: one.keys.clear(), "signed with a key that this host does not trust"),
    ],
    ids=["no image", "another image", "unknown", "no package", "no digest", "changed", "unsigned", "untrusted"],
)
def test_not_traced(machine: Any, change: Any, words: str) -> None:
    change(machine)
    found = _trace(machine)
    assert words in str(found.problem)
    assert found.witnesses == []

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any, Callable

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _kernel_facts
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import package_contents, rpm
from tests.support import factories

_THREE = "3-150400.2.1"
_SIGNER = rpm.Signer(factories.fingerprint("lab"), "the lab's key")
_KEYS = {factories.key_id("lab"): _SIGNER}


def _look(
    machine: Any,
    evr: str = _THREE,
    arch: str = "x86_64",
    allow_unsigned: bool = False,
    is_trusted: Callable[[rpm.Signer], bool] = _SIGNER.__eq__,
) -> package_contents.PackageContents:
    path = f"/var/cache/zypp/packages/lab/{machine.kmp}-{_THREE}.x86_64.rpm"
    package = rpm.Package(machine.kmp, evr, arch)
    kernel = _kernel_facts.gather_kernel(machine)
    return package_contents.read_file(machine, path, package, kernel, _KEYS, is_trusted, allow_unsigned)


def test_of_file(machine: Any) -> None:
    found = _look(machine)
    assert (found.signature, found.signer) == ("good", _SIGNER)
    assert found.path == machine.file(_THREE)
    assert found.module is not None
    assert found.module.target_release == machine.release
    assert found.module.build_id == "3" * 40
    assert found.unloadable is None


@pytest.mark.parametrize("signature", ["bad", "unsigned", "missigned"])
@pytest.mark.parametrize("allow_unsigned", [False, True])
def test_what_no_trusted_key_has_signed_is_not_opened(machine: Any, signature: str, allow_unsigned: bool) -> None:
    machine.offer(_THREE, signature=signature)
    found = _look(machine, allow_unsigned=allow_unsigned)
    assert found.signature == {"missigned": "unknown_key"}.get(signature, signature)
    is_opened = signature == "unsigned" and allow_unsigned
    assert (found.module is not None) is is_opened
    assert bool(machine.ran("rpm2cpio")) is is_opened
    assert bool(machine.ran("-qp")) is is_opened


@pytest.mark.parametrize("evr, arch", [("4-150400.2.1", "x86_64"), (_THREE, "s390x")])
def test_another_package_in_the_file(machine: Any, evr: str, arch: str) -> None:
    found = _look(machine, evr, arch)
    assert (found.signature, found.module) == ("bad", None)


def test_a_key_that_cannot_be_told_from_another_one(machine: Any) -> None:
    """Two keys with one ID: rpm takes either, and names neither."""
    path = f"/var/cache/zypp/packages/lab/{machine.kmp}-{_THREE}.x86_64.rpm"
    kernel = _kernel_facts.gather_kernel(machine)
    package = rpm.Package(machine.kmp, _THREE, "x86_64")
    found = package_contents.read_file(machine, path, package, kernel, {}, lambda signer: True)
    assert (found.signature, found.module) == ("unknown_key", None)


def test_what_no_kmp_may_be_signed_by_is_not_unpacked(machine: Any) -> None:
    found = _look(machine, is_trusted=lambda signer: False)
    assert (found.signature, found.signer, found.module) == ("good", _SIGNER, None)
    assert machine.ran("rpm2cpio") == []


@pytest.mark.parametrize("modules", [0, 2])
def test_not_one_module(machine: Any, modules: int) -> None:
    machine.offer(_THREE, modules=modules)
    found = _look(machine)
    assert (found.signature, found.module) == ("good", None)
    assert f"holds {modules} livepatch modules" in str(found.unloadable)

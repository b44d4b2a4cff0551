# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import TransactionRefused
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import transaction_check
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.port import Step
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.rpm import Package

_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"
_PACKAGE = Package(_NAME, "3-150400.2.1", "x86_64")
_KMP = Step("install", *_PACKAGE)


@pytest.mark.parametrize(
    "steps, dependencies",
    [
        ([_KMP], ()),
        ([_KMP._replace(action="upgrade")], ()),
        ([_KMP, Step("install", "kernel-livepatch-tools", "1.3-1", "x86_64")], ()),
        ([_KMP, Step("install", "kpatch", "0.9.7-2.el9", "noarch")], ()),
        ([_KMP, Step("install", "our-hooks", "1-1", "noarch")], ("our-*",)),
    ],
    ids=["alone", "in place of an older one", "SUSE's tools", "Red Hat's tools", "allowed"],
)
def test_allowed(steps: Any, dependencies: Any) -> None:
    transaction_check.check_installation(steps, _PACKAGE, dependencies)


@pytest.mark.parametrize(
    "steps, words",
    [
        ([_KMP, Step("install", "kernel-default", "5.14-2", "x86_64")], "install kernel-default-5.14-2.x86_64"),
        ([_KMP, Step("upgrade", "kernel-livepatch-tools", "2-1", "x86_64")], "upgrade kernel-livepatch-tools"),
        ([_KMP, Step("remove", "our-hooks", "1-1", "noarch")], "remove our-hooks-1-1.noarch"),
        ([_KMP._replace(action="change-vendor")], "change-vendor " + _NAME),
        ([_KMP._replace(action="downgrade")], "downgrade"),
        ([_KMP._replace(evr="4-1")], "install kernel-livepatch-6_1_0-56-cloud-amd64-4-1"),
        ([_KMP._replace(arch="noarch")], "also install kernel-livepatch-6_1_0-56-cloud-amd64-3-150400.2.1.noarch"),
        ([Step("install", "kpatch", "1-1", "noarch")], "would not install kernel-livepatch"),
        ([], "would not install kernel-livepatch"),
    ],
    ids=[
        "kernel",
        "upgrade",
        "removal",
        "vendor",
        "downgrade",
        "another version",
        "another architecture",
        "not the KMP",
        "nothing",
    ],
)
def test_refused(steps: Any, words: str) -> None:
    with pytest.raises(TransactionRefused, match=words) as caught:
        transaction_check.check_installation(steps, _PACKAGE, ("our-*",))
    assert caught.value.result["transaction"] == transaction_check.describe_steps(steps)


def test_downgrade_that_is_asked_for() -> None:
    transaction_check.check_installation([_KMP._replace(action="downgrade")], _PACKAGE, (), older=True)
    transaction_check.check_installation([_KMP], _PACKAGE, (), older=True)
    transaction_check.check_installation([_KMP, Step("remove", _NAME, "4-1", "x86_64")], _PACKAGE, (), older=True)
    with pytest.raises(TransactionRefused, match="upgrade"):
        transaction_check.check_installation([_KMP._replace(action="upgrade")], _PACKAGE, (), older=True)


def test_removal() -> None:
    gone = _KMP._replace(action="remove")
    with pytest.raises(TransactionRefused, match=r"would also remove .*noarch"):
        transaction_check.check_removal([gone._replace(arch="noarch")], _PACKAGE)
    transaction_check.check_removal([gone], _PACKAGE)
    with pytest.raises(TransactionRefused, match=r"would also remove vital-1-1\.noarch"):
        transaction_check.check_removal([gone, Step("remove", "vital", "1-1", "noarch")], _PACKAGE)
    with pytest.raises(TransactionRefused, match="would also remove " + _NAME + "-4-1"):
        transaction_check.check_removal([gone, gone._replace(evr="4-1")], _PACKAGE)
    with pytest.raises(TransactionRefused, match="would do nothing"):
        transaction_check.check_removal([], _PACKAGE)


def test_files() -> None:
    tools = Package("kernel-livepatch-tools", "1.3-1", "x86_64")
    steps = [_KMP, Step("install", *tools)]
    transaction_check.check_files(steps, [_PACKAGE, tools])
    with pytest.raises(TransactionRefused, match=r"would also install kernel-livepatch-tools-1\.3-1\.x86_64"):
        transaction_check.check_files(steps, [_PACKAGE])
    with pytest.raises(TransactionRefused, match=r"would also install kernel-livepatch-tools-1\.3-1\.x86_64"):
        transaction_check.check_files(steps, [_PACKAGE, tools._replace(evr="1.3-2")])

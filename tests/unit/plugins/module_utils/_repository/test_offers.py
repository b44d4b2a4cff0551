# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a repository offers KMPs: recorded answers of zypper and dnf (tests/support/recorded)."""

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NoRepository, PackageManagerLocked
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._repository import kinds


def _check(host: Any, kind: str) -> Any:
    return kinds.configure_repository(host, {"kind": kind}, False)


@pytest.mark.parametrize(
    "kind, tool, answer",
    [
        ("suse_manager", "zypper", "zypper-6.1-offered-level3"),
        ("rhel", "dnf", "dnf-kpatch-query"),
        ("amazon", "dnf", "dnf-kpatch-query"),
    ],
)
def test_offered(host: Any, recorded: Any, kind: str, tool: str, answer: str) -> None:
    host.answers[tool] = recorded(answer)
    assert _check(host, kind) == {"changed": False, "changes": []}
    assert {call[0] for call in host.calls} == {tool}


@pytest.mark.parametrize(
    "kind, tool, answer, words",
    [
        ("suse_manager", "zypper", "", "(none was found). In SUSE Manager, subscribe the system to the child channel"),
        ("suse_manager", "zypper", "zypper-6.1-offered-no-cache", "(repository lab does not answer: "),
        ("rhel", "dnf", "", "(none was found). kpatch-patch packages are in the base repositories"),
        ("rhel", "dnf", "dnf-kpatch-query-no-cache", "check subscription-manager status"),
        ("amazon", "dnf", "", "on Amazon Linux 2023 install kpatch-dnf"),
        ("suse_manager", "dnf", "dnf-kpatch-query", "(cannot run zypper: No such file or directory). In SUSE Manager"),
        ("rhel", "zypper", "zypper-6.1-offered-level3", "(cannot run dnf: No such file or directory)"),
    ],
)
def test_not_offered(host: Any, recorded: Any, kind: str, tool: str, answer: str, words: str) -> None:
    host.answers[tool] = recorded(answer) if answer else Completed(0, "<stream/>" if tool == "zypper" else "", "")
    with pytest.raises(NoRepository) as error:
        _check(host, kind)
    assert str(error.value).startswith("no repository of this host offers KMPs (")
    assert words in str(error.value)


def test_locked(host: Any, recorded: Any) -> None:
    host.answers["zypper"] = recorded("zypper-6.1-offered-locked")
    with pytest.raises(PackageManagerLocked, match="waited 60 s"):
        _check(host, "suse_manager")

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock on KMPs: it holds against package tools as people and timers run them, and not against the collection."""

from __future__ import annotations

import shutil
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _ensure
from ansible_collections.fleet.livepatch.plugins.module_utils._change.request import Request
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import NotDone
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.policy import Policy
from tests.vendors.host import Repositories, VendorHost, prepare
from tests.vendors.packages import RED_HAT_NAME, SUSE_NAME, Builder, Keyring, Kmp
from tests.vendors.root import Root

# What updates a host without a rollout. dnf-automatic and the plugin kpatch use dnf's own library with its settings.
_UPDATES = {
    "zypper": (["zypper", "-n", "patch"], ["zypper", "-n", "update"], ["zypper", "-n", "dist-upgrade"]),
    "dnf": (["dnf", "-y", "upgrade"], ["dnf", "-y", "upgrade", "--security"], ["dnf", "-y", "distro-sync"]),
}
_REFRESH = {"zypper": ["zypper", "-n", "refresh", "--force"], "dnf": ["dnf", "-q", "makecache", "--refresh"]}
_PLAIN = "vendors-tool"
_ADVISORY = """<updates><update from="vendor" status="stable" type="security" version="1"><id>A-{level}</id>
<title>x</title><severity>important</severity><issued date="2026-11-0{level} 00:00:00"/><description>x</description>
<pkglist><collection short="x"><name>x</name><package name="{name}" version="{version}" release="{release}" epoch="0"
arch="x86_64"><filename>x.rpm</filename></package></collection></pkglist></update></updates>"""


class _Host:
    """A host with level 2, and level 3 on offer beside a newer version of another package."""

    def __init__(self, host: VendorHost, builder: Builder, repositories: Repositories) -> None:
        self.host = host
        self.name = SUSE_NAME if host.tool == "zypper" else RED_HAT_NAME
        self._builder = builder
        self._repositories = repositories
        self.offer(2)
        self.ensure()
        plain = builder.build_plain(_PLAIN, "1", "vendor")
        shutil.copy(plain, host.root.folder / "run" / plain.name)
        host.root.run("rpm", "--force-debian", "-i", f"/run/{plain.name}")

    def offer(self, level: int) -> None:
        kmps = [Kmp(level=number, name=self.name) for number in range(1, level + 1)]
        packages = [self._builder.build_kmp(kmp) for kmp in kmps]
        packages.append(self._builder.build_plain(_PLAIN, str(level), "vendor"))
        version, release = kmps[-1].version_release
        advisory = _ADVISORY.format(level=level, name=self.name, version=version, release=release)
        self._repositories.add("updates", packages, advisories=advisory)
        # zypper would only do so ten minutes after the last time.
        self.host.run(_REFRESH[self.host.tool])

    def ensure(self, **what: t.Any) -> t.Any:
        given: dict[str, t.Any] = {"policy": Policy("always", 600, 10, level=what.pop("level", None))}
        return _ensure.ensure_state(
            self.host, Request(**given, timeout=60, on_stall="reverse", check_mode=False, **what)
        )

    def update(self) -> str:
        """Whatever the tools do by themselves, and what they say."""
        return "\n".join(self.host.run(words).out for words in _UPDATES[self.host.tool])

    def installed(self, name: str | None = None) -> list[str]:
        listed = self.host.run(["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\n", name or self.name]).out
        return sorted(line for line in listed.splitlines() if line[0].isdigit())

    def evr(self, level: int) -> str:
        return Kmp(level=level, name=self.name).evr


@pytest.fixture(params=["zypper", "dnf"])
def held(
    request: pytest.FixtureRequest, root: Root, keys: Keyring, builder: Builder, served: tuple[Path, str]
) -> _Host:
    host = prepare(root, request.param, builder, [keys.public("vendor")])
    shutil.rmtree(served[0])
    served[0].mkdir()
    return _Host(host, builder, Repositories(served[0], served[1], keys, host))


def test_without_the_lock_it_comes_by_itself(held: _Host) -> None:
    held.offer(3)
    said = held.update()
    assert held.evr(3) in held.installed(), said
    assert held.installed(_PLAIN) == ["3-1"], said


def test_with_the_lock_only_the_collection_installs_one(held: _Host) -> None:
    assert held.ensure(lock=True)["kmp"]["lock"] == "own"
    held.offer(3)
    said = held.update()
    assert held.installed() == [held.evr(2)], said
    assert held.installed(_PLAIN) == ["3-1"], f"all else is updated: {said}"
    observed = held.ensure(lock=True)
    assert (observed["after"]["level"], held.evr(3) in held.installed()) == (3, True)
    held.offer(4)
    said = held.update()
    assert held.evr(4) not in held.installed(), f"it is still there: {said}"
    back = held.ensure(state="previous")
    assert (back["after"]["level"], held.installed()) == (2, [held.evr(2)])
    assert held.ensure(lock=False, lock_only=True)["kmp"]["lock"] == "none"
    said = held.update()
    assert held.evr(4) in held.installed(), said


def test_locks_of_others_hold_and_stay(held: _Host) -> None:
    """Of a package of another name, which is found again afterwards, and of the KMP itself."""
    if held.host.tool == "zypper":
        for name in (_PLAIN, held.name):
            held.host.root.run("zypper", "-n", "addlock", name)
        path = "/etc/zypp/locks"
    else:
        path = "/etc/dnf/dnf.conf"
        text = f"{held.host.read_text(path)}\nexcludepkgs={_PLAIN}, {held.name}\n"
        held.host.root.put(path, text)
    before = held.host.read_text(path)
    held.ensure(lock=True)
    held.offer(3)
    with pytest.raises(NotDone, match="it is locked in the package manager"):
        held.ensure(lock=True, level=3)
    said = held.update()
    assert (held.installed(), held.installed(_PLAIN)) == ([held.evr(2)], ["1-1"]), said
    held.ensure(lock=False)
    assert held.host.read_text(path) == before

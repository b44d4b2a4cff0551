# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mechanisms on a model of each kernel's rules: the current ABI, the one before Linux 5.1, and kGraft's."""

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import KernelRefused, LoadRefused
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, mechanisms, transition
from tests.support import kernel_model

_VARIANTS = (kernel_model.CURRENT, kernel_model.OLDER, kernel_model.KGRAFT)


class Kernel:
    """A host on a model: its insmod, its rmmod and its writes go to the model, and time passes."""

    def __init__(self, host: Any, variant: str, monkeypatch: Any) -> None:
        self.host = host
        self.model = kernel_model.Model(host.resolve_path("/"), variant)
        # Seconds that a migration takes, None for ever
        self.seconds: Any = 1.5
        self._due: Any = None
        monkeypatch.setattr(host, "run", self._run)
        monkeypatch.setattr(host, "write", self._write)
        sleep = host.sleep

        def sleeping(seconds: float) -> None:
            sleep(seconds)
            if self._due is not None and host.now >= self._due:
                self._due = None
                self.model.complete()

        monkeypatch.setattr(host, "sleep", sleeping)

    @property
    def mechanism(self) -> Any:
        return mechanisms.find_mechanism(self.host)

    def path(self, level: int) -> str:
        prefix = "kgraft-patch" if self.model.variant == kernel_model.KGRAFT else "livepatch"
        return f"/lib/modules/x/{prefix}-{level}-1.ko"

    def module(self, level: int) -> str:
        return self.path(level).rpartition("/")[2][: -len(".ko")].replace("-", "_")

    def _start(self) -> None:
        self._due = None if self.seconds is None else self.host.now + self.seconds

    def _run(self, argv: Any, environment: Any = None) -> Completed:
        try:
            if argv[0] == "insmod":
                self.model.load(argv[1])
                self._start()
            else:
                self.model.unload(argv[1])
        except OSError as exc:
            return Completed(1, "", f"insmod: ERROR: could not insert module {argv[1]}: {exc.strerror}")
        return Completed(0, "", "")

    def _write(self, path: str, text: str) -> None:
        self.model.write(path, text)
        self._start()

    def active(self) -> Any:
        return [one.name for one in self.mechanism.list_patches() if one.enabled and not one.transition]

    def wait(self, level: int, seconds: float = 10) -> Any:
        return transition.wait_for_end(self.host, self.mechanism, self.module(level), self.host.clock(), seconds)


@pytest.fixture(params=_VARIANTS)
def kernel(request: Any, host: Any, monkeypatch: Any) -> Any:
    return Kernel(host, request.param, monkeypatch)


def test_which_mechanism(kernel: Any) -> None:
    assert kernel.mechanism.name == ("kgraft" if kernel.model.variant == kernel_model.KGRAFT else "klp")
    assert kernel.mechanism.list_patches() == []


def test_there(kernel: Any) -> None:
    kernel.mechanism.load(kernel.path(1))
    (one,) = kernel.mechanism.list_patches()
    assert (one.name, one.enabled, one.transition) == (kernel.module(1), True, True)
    assert one.functions == {"vmlinux": ["cmdline_proc_show"]}
    assert kernel.active() == [], "enabled is where it is heading, not that it is there"
    assert kernel.wait(1).completed
    assert kernel.active() == [kernel.module(1)]
    assert kernel.mechanism.count_references(kernel.module(1)) == 1


def test_replaced(kernel: Any) -> None:
    for level in (1, 2):
        kernel.mechanism.load(kernel.path(level))
        assert kernel.wait(level).completed
    assert kernel.active() == [kernel.module(2)]
    assert kernel.mechanism.is_loaded(kernel.module(1)), "the module stays"
    assert kernel.mechanism.unload(kernel.module(1))
    assert not kernel.mechanism.is_loaded(kernel.module(1))
    assert not kernel.mechanism.unload(kernel.module(2)), "it is in use"


def test_another_transition_runs(kernel: Any) -> None:
    kernel.seconds = None
    kernel.mechanism.load(kernel.path(1))
    with pytest.raises(LoadRefused) as caught:
        kernel.mechanism.load(kernel.path(2))
    assert kernel.mechanism.is_busy(caught.value)
    assert transition.find_running(kernel.mechanism) == kernel.module(1)


def test_blockers(kernel: Any) -> None:
    kernel.seconds = None
    kernel.mechanism.load(kernel.path(1))
    found = blockers.find_blockers(kernel.host, kernel.mechanism, True)
    assert (found.total, [one["tid"] for one in found.first]) == (1, [54])
    assert found.first[0]["command"] == "thread-54"


def test_reversed(kernel: Any) -> None:
    kernel.seconds = None
    kernel.mechanism.load(kernel.path(1))
    assert not kernel.wait(1, 5).completed
    kernel.seconds = 1.0
    if not kernel.mechanism.reversible:
        with pytest.raises(KernelRefused, match="cannot reverse the migration"):
            kernel.mechanism.reverse(kernel.module(1))
        return
    kernel.mechanism.reverse(kernel.module(1))
    assert kernel.wait(1).completed
    assert kernel.active() == []
    assert kernel.mechanism.unload(kernel.module(1))


def test_disabled(kernel: Any) -> None:
    kernel.mechanism.load(kernel.path(1))
    kernel.wait(1)
    kernel.mechanism.disable(kernel.module(1))
    assert transition.find_running(kernel.mechanism) == kernel.module(1)
    assert kernel.wait(1).completed
    assert kernel.active() == []
    # Only before Linux 5.1 it can be had again without loading it anew.
    again = kernel.mechanism.enable(kernel.module(1))
    assert again is (kernel.model.variant == kernel_model.OLDER)
    if again:
        assert kernel.wait(1).completed
        assert kernel.active() == [kernel.module(1)]


def test_stacking_is_enforced(kernel: Any) -> None:
    for level in (1, 2):
        kernel.model.load(kernel.path(level), replace=False)
        kernel.model.complete()
    if kernel.model.variant == kernel_model.OLDER:
        with pytest.raises(KernelRefused, match="Device or resource busy"):
            kernel.mechanism.disable(kernel.module(1))
    else:
        kernel.mechanism.disable(kernel.module(1))


def test_disabled_while_another_moves(kernel: Any) -> None:
    kernel.mechanism.load(kernel.path(1))
    kernel.wait(1)
    kernel.seconds = None
    kernel.mechanism.load(kernel.path(2))
    with pytest.raises(KernelRefused):
        kernel.mechanism.disable(kernel.module(1))


def test_kgrafts_patch_without_functions(host: Any, monkeypatch: Any) -> None:
    kernel = Kernel(host, kernel_model.KGRAFT, monkeypatch)
    kernel.model.load(kernel.path(1), functions=())
    (one,) = kernel.mechanism.list_patches()
    assert (one.enabled, one.transition) == (True, True)
    kernel.model.complete()
    assert kernel.active() == [kernel.module(1)]
    kernel.mechanism.disable(kernel.module(1))
    kernel.model.complete()
    assert kernel.active() == []


def test_kgraft_whose_patch_goes_away(host: Any, monkeypatch: Any) -> None:
    kernel = Kernel(host, kernel_model.KGRAFT, monkeypatch)
    assert kernel.mechanism.read_patch("kgraft_patch_1_1") is None
    assert kernel.mechanism.is_in_transition("kgraft_patch_1_1") is None
    with pytest.raises(KernelRefused, match="disappeared"):
        kernel.mechanism.disable("kgraft_patch_1_1")

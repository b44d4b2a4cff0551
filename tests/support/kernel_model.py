# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small model of what kernels show of live patches, and of what they take. Python 3.6.

It stands for kernels that cannot be run here: kGraft's (SLE 12), and those before Linux 5.1. Its rules for the
current one are checked against a real kernel (tests/lab_scenarios/model.py), by the same script of operations.
Rules: reference for each is the kernel's own source, kernel/livepatch/core.c, and kernel/kgraft.c of SLE 12.
"""

import errno
import os
import shutil
from typing import Any, Dict, List

CURRENT, OLDER, KGRAFT = "current", "before 5.1", "kgraft"


class Model:
    """A kernel below a directory. ``root``: where its /sys and /proc are; ``variant``: whose rules it has."""

    def __init__(self, root: str, variant: str = CURRENT) -> None:
        self._root = root
        self.variant = variant
        self.base = "/sys/kernel/kgraft" if variant == KGRAFT else "/sys/kernel/livepatch"
        # By module: its sysfs name, whether it is enabled, its functions, replace
        self.patches: Dict[str, Dict[str, Any]] = {}
        self.modules: List[str] = []
        # The module whose transition runs, and whether it goes to the patch
        self.moving: Any = None
        self._put("/sys/kernel/notes", "x")
        os.makedirs(self._path(self.base), exist_ok=True)
        if variant == KGRAFT:
            self._put(self.base + "/in_progress", "0")
        self._threads()

    def load(self, path: str, functions: Any = ("cmdline_proc_show",), replace: bool = True) -> None:
        """insmod. Errors of the kernel pass as OSError."""
        module = os.path.basename(path)[: -len(".ko")].replace("-", "_")
        if module in self.modules:
            raise OSError(errno.EEXIST, "File exists")
        if self.moving is not None:
            # kgr_modify_kernel says EAGAIN; __klp_enable_patch says EBUSY
            code = errno.EAGAIN if self.variant == KGRAFT else errno.EBUSY
            raise OSError(code, os.strerror(code))
        self.modules.append(module)
        name = os.path.basename(path)[: -len(".ko")] if self.variant == KGRAFT else module
        self.patches[module] = {"name": name, "enabled": True, "functions": list(functions), "replace": replace}
        self.moving = (module, True)
        self._show()

    def unload(self, module: str) -> None:
        if module not in self.modules:
            raise OSError(errno.ENOENT, "No such file or directory")
        if self._references(module):
            raise OSError(errno.EBUSY, "Module is in use")
        self.modules.remove(module)
        self.patches.pop(module, None)
        self._show()

    def write(self, path: str, value: str) -> None:
        """A write to an attribute of sysfs."""
        folder, attribute = path.split("/")[-2:]
        module = folder.replace("-", "_")
        patch = self.patches.get(module)
        if patch is None or folder != patch["name"]:
            raise OSError(errno.ENOENT, "No such file or directory")
        if self.variant == KGRAFT:
            assert attribute == "revert", "nothing else of a patch can be written to"
            self._revert(module, patch)
        else:
            assert attribute == "enabled", "it never forces"
            self._enabled(module, patch, value == "1")
        self._show()

    def _revert(self, module: str, patch: Dict[str, Any]) -> None:
        if self.moving is not None:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        if not patch["enabled"]:
            raise OSError(errno.EINVAL, "Invalid argument")
        patch["enabled"] = False
        self.moving = (module, False)

    def _enabled(self, module: str, patch: Dict[str, Any], wanted: bool) -> None:
        """enabled_store() in kernel/livepatch/core.c"""
        if patch["enabled"] == wanted:
            raise OSError(errno.EINVAL, "Invalid argument")
        if self.moving is not None and self.moving[0] == module:
            self.moving = (module, wanted)
        elif self.moving is not None:
            raise OSError(errno.EBUSY, "Device or resource busy")
        elif wanted:
            if self.variant == CURRENT or patch.get("replaced"):
                raise OSError(errno.EINVAL, "Invalid argument")
            self.moving = (module, True)
        else:
            later = list(self.patches)[list(self.patches).index(module) + 1 :]
            if self.variant == OLDER and any(self.patches[one]["enabled"] for one in later):
                # Enforced stacking
                raise OSError(errno.EBUSY, "Device or resource busy")
            self.moving = (module, False)
        patch["enabled"] = wanted

    def boot(self) -> None:
        """Nothing is loaded any more."""
        self.patches.clear()
        self.modules.clear()
        self.moving = None
        self._show()

    def complete(self) -> None:
        """All tasks have moved."""
        assert self.moving is not None
        module, forward = self.moving
        self.moving = None
        if forward and self.patches[module]["replace"]:
            for other in list(self.patches):
                if other != module:
                    self._replaced(other)
        elif not forward and self.variant == CURRENT:
            del self.patches[module]
        self._show()

    def _replaced(self, module: str) -> None:
        if self.variant == CURRENT:
            del self.patches[module]
        else:
            self.patches[module].update(enabled=False, replaced=True)

    def _references(self, module: str) -> int:
        patch = self.patches.get(module)
        moving = self.moving is not None and self.moving[0] == module
        return int(patch is not None and (patch["enabled"] or moving))

    # What it shows

    def _show(self) -> None:
        for name in os.listdir(self._path(self.base)):
            if os.path.isdir(self._path(f"{self.base}/{name}")):
                shutil.rmtree(self._path(f"{self.base}/{name}"))
        shutil.rmtree(self._path("/sys/module"), ignore_errors=True)
        for module in self.modules:
            self._put(f"/sys/module/{module}/refcnt", str(self._references(module)))
        for module, patch in self.patches.items():
            self._show_patch(module, patch, f"{self.base}/{patch['name']}")
        if self.variant == KGRAFT:
            self._put(self.base + "/in_progress", str(int(self.moving is not None)))
        self._threads()

    def _show_patch(self, module: str, patch: Dict[str, Any], base: str) -> None:
        moving = self.moving is not None and self.moving[0] == module
        if self.variant == KGRAFT:
            state = {(True, True): 1, (True, False): 2, (False, True): 3, (False, False): 4}[(patch["enabled"], moving)]
            rows = [f"{name:<20}  {0:5}  {state:5}" for name in patch["functions"]]
            self._put(base + "/state", "\n".join(["{:<20}   Weak  State".format("Function"), *rows]))
            self._put(base + "/refs", "0")
            self._put(base + "/replace_all", str(int(patch["replace"])))
            self._put(base + "/revert", "")
            return
        self._put(base + "/enabled", str(int(patch["enabled"])))
        self._put(base + "/transition", str(int(moving)))
        if self.variant == OLDER:
            self._put(base + "/signal", "")
        for name in patch["functions"]:
            os.makedirs(self._path(f"{base}/vmlinux/{name},1"), exist_ok=True)

    def _threads(self) -> None:
        """One that has moved at once, and one that has not as long as the transition runs."""
        for pid, moved in ((10, True), (54, False)):
            base = f"/proc/{pid}/task/{pid}"
            self._put(base + "/stat", f"{pid} (thread-{pid}) S 1 0 0 0 -1 0")
            if self.variant == KGRAFT:
                self._put(f"/proc/{pid}/stat", f"{pid} (thread-{pid}) S 1 0 0 0 -1 0")
                self._put(f"/proc/{pid}/kgr_in_progress", str(int(self.moving is not None and not moved)))
            else:
                state = -1 if self.moving is None else int(self.moving[1] == moved)
                self._put(base + "/patch_state", str(state))

    def _path(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def _put(self, path: str, text: str) -> None:
        os.makedirs(os.path.dirname(self._path(path)), exist_ok=True)
        with open(self._path(path), "w") as stream:
            stream.write(text + "\n")

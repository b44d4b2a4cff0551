# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model of the current kernel's rules against real kernels: the same operations, the same answers."""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.support import canary, kernel_model

_ONE, _TWO = "livepatch_1_150400_9_3_1", "livepatch_2_150400_2_1"
# Its transition takes 20 seconds: time enough to try what a running one does not allow.
_SLOW = "livepatch_4_150400_2_1"
_WORDS = {
    "File exists": errno.EEXIST,
    "Device or resource busy": errno.EBUSY,
    "Invalid argument": errno.EINVAL,
    "No such file or directory": errno.ENOENT,
    "is in use": errno.EBUSY,
    "is not currently loaded": errno.ENOENT,
}
# What is done, one after the other. With a "+" the end of the transition that it begins is waited for.
SCRIPT = (
    ("load+", _ONE),
    ("load", _ONE),
    ("unload", _ONE),
    ("enabled", f"{_ONE} 1"),
    ("load", _SLOW),
    ("load", _SLOW),
    ("load", _TWO),
    ("unload", _SLOW),
    ("enabled", f"{_ONE} 0"),
    ("enabled", f"{_SLOW} 1"),
    ("enabled+", f"{_SLOW} 0"),
    ("enabled", f"{_SLOW} 0"),
    ("load", _SLOW),
    ("unload", _SLOW),
    ("load+", _SLOW),
    ("enabled", f"{_ONE} 0"),
    ("unload", _ONE),
    ("unload", _ONE),
    ("load+", _ONE),
    ("unload", _SLOW),
    ("load+", _TWO),
    ("enabled+", f"{_TWO} 0"),
    ("enabled", f"{_TWO} 1"),
    ("load", _TWO),
    ("unload", _TWO),
    ("unload", _ONE),
)


def _file(module: str) -> str:
    _livepatch, level, release = module.split("_", 2)
    return f"livepatch-{level}-{release}.ko"


def _in_model(model: kernel_model.Model, what: str, argument: str) -> int:
    try:
        if what.startswith("load"):
            model.load(f"/x/{_file(argument)}")
        elif what == "unload":
            model.unload(argument)
        else:
            name, value = argument.split()
            model.write(f"{model.base}/{name}/enabled", value)
    except OSError as exc:
        return exc.errno or -1
    if what.endswith("+"):
        model.complete()
    return 0


def _of_model(model: kernel_model.Model) -> dict[str, list[str]]:
    return {
        "shown": sorted(f"{name} {int(one['enabled'])}" for name, one in model.patches.items()),
        "loaded": sorted(model.modules),
    }


_REAL = """\
case "$1" in
load*) insmod /lib/modules/$(uname -r)/livepatch/$2 2>&1 ;;
unload) rmmod $2 2>&1 ;;
enabled*) python3 -c "with open('/sys/kernel/livepatch/$2/enabled', 'w') as file: file.write('$3')" 2>&1 ;;
esac
echo "rc $?"
case "$1" in *+) while grep -qs 1 /sys/kernel/livepatch/*/transition; do sleep 0.05; done; sleep 1 ;; esac
for patch in /sys/kernel/livepatch/*; do
    [ ! -e $patch/enabled ] || echo "shown ${patch##*/} $(cat $patch/enabled)"
done
grep -o '^livepatch_[0-9_]*' /proc/modules | sed 's/^/loaded /'
"""


def _in_kernel(host: Host, what: str, argument: str) -> tuple[int, dict[str, list[str]]]:
    words = _file(argument) if what.startswith("load") else argument
    said = host.ssh(f"sudo sh /root/step.sh {what} {words}")
    code = 0
    if "rc 0" not in said:
        code = next((number for text, number in _WORDS.items() if text in said), -1)
    found = {key: sorted(re.findall(rf"^{key} (.*)$", said, re.MULTILINE)) for key in ("shown", "loaded")}
    return code, found


@pytest.mark.parametrize("name", ["lp1", "lp2"])
def test_model(lab: Lab, name: str, tmp_path: Path, figures: dict[str, object]) -> None:
    lab.up(2, fresh=name == "lp1")
    host = lab.host(name)
    kmp = "kernel-livepatch-" + host.kernel.replace(".", "_")
    host.ssh("echo LIVEPATCH_KERNEL=never | sudo tee /etc/sysconfig/livepatching")
    canary.add_repository(lab, "slow", [host])
    for level in (1, 2, 4):
        host.ssh(f"sudo zypper -n install {kmp}={level}")
    host.write("/root/step.sh", _REAL)
    model = kernel_model.Model(str(tmp_path))
    transcript = []
    for what, argument in SCRIPT:
        real = _in_kernel(host, what, argument)
        modelled = (_in_model(model, what, argument), _of_model(model))
        transcript.append({"did": f"{what} {argument}", "kernel": real, "model": modelled})
        assert modelled == real, json.dumps(transcript[-2:], indent=2)
    figures.update({"kernel": host.kernel, "operations": len(SCRIPT), "that differ": 0})

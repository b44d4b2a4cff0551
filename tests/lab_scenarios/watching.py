# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How soon the end of a migration is noticed, and what it costs to find blockers among thousands of threads."""

from __future__ import annotations

import json
import statistics

import pytest

from tests.lab.fleet import Lab
from tests.lab.host import Host
from tests.lab.layout import CHECKOUT
from tests.support import canary
from tests.support.ask import Ask
from tests.support.controller import Controller

_PLUGINS = CHECKOUT / "plugins" / "module_utils"

# Loads a module whose migration takes some random time, and watches it by the collection's own code, again and again.
# The kernel's log has its own clock, whose distance from Python's is told by a line that the script writes into it.
_WATCH = """\
import json, os, random, subprocess, sys, time
sys.path.insert(0, "/root/code")
base = "ansible_collections.fleet.livepatch.plugins.module_utils."
import importlib
Host = importlib.import_module(base + "_host").Host
klp = importlib.import_module(base + "_mechanism.klp")
transition = importlib.import_module(base + "_mechanism.transition")
host = Host()
mechanism = klp.Klp(host)
path, name, way = sys.argv[1:]
chosen = random.Random(7)
late = []
for _round in range(20):
    subprocess.run(["insmod", path, "milliseconds=%d" % chosen.randrange(800, 2800)], check=True)
    assert mechanism.is_in_transition(name)
    if way == "poll":
        while mechanism.is_in_transition(name):
            time.sleep(1)
    else:
        assert transition.wait_for_end(host, mechanism, name, host.clock(), 60).completed
    noticed = host.clock()
    with open("/dev/kmsg", "w") as log:
        before = host.clock()
        log.write("lab: the clock\\n")
    marks = [record for record in host.read_kernel_log() if "lab: the clock" in record]
    offset = before - float(marks[-1].split(",")[2]) / 1e6
    late.append(noticed - offset - mechanism.read_log_times(name)[1])
    mechanism.disable(name)
    transition.wait_for_end(host, mechanism, name, host.clock(), 60)
    while mechanism.count_references(name):
        time.sleep(0.05)
    assert mechanism.unload(name)
print(json.dumps(late))
"""

_THREADS = """\
import sys, threading, time
threading.stack_size(65536)
for _number in range(int(sys.argv[1])):
    threading.Thread(target=time.sleep, args=(100000,), daemon=True).start()
print("ready", flush=True)
time.sleep(100000)
"""

_FIND = """\
import json, sys, time
sys.path.insert(0, "/root/code")
base = "ansible_collections.fleet.livepatch.plugins.module_utils."
import importlib
Host = importlib.import_module(base + "_host").Host
klp = importlib.import_module(base + "_mechanism.klp")
blockers = importlib.import_module(base + "_mechanism.blockers")
host = Host()
times = []
for _round in range(3):
    started = time.monotonic()
    found = blockers.find_blockers(host, klp.Klp(host), True)
    times.append(time.monotonic() - started)
print(json.dumps([min(times), found.total, [one["command"] for one in found.first]]))
"""

# The way of kpatch's own script: for each thread some processes.
_LOOP = """\
for proc in /proc/[0-9]*/task/[0-9]*; do
    if [ "$(cat "$proc/patch_state" 2>/dev/null)" = 0 ]; then
        echo "$(cat "$proc/comm")"
    fi
done
"""


@pytest.fixture(scope="module")
def running(lab: Lab) -> Lab:
    lab.up(2, fresh=True)
    for host in lab.hosts:
        _send_code(host)
    return lab


def _send_code(host: Host) -> None:
    target = "/root/code/ansible_collections/fleet/livepatch/plugins/module_utils"
    for path in sorted(_PLUGINS.rglob("*.py")):
        name = path.relative_to(_PLUGINS)
        if name.parts[0] in ("_host.py", "_errors.py", "_mechanism", "_kernel"):
            host.write(f"{target}/{name}", path.read_text())


@pytest.mark.parametrize("name", ["lp1", "lp2"])
def test_end_is_noticed(running: Lab, name: str, figures: dict[str, object]) -> None:
    host = running.host(name)
    kmp = "kernel-livepatch-" + host.kernel.replace(".", "_")
    host.ssh("echo LIVEPATCH_KERNEL=never | sudo tee /etc/sysconfig/livepatching")
    canary.add_repository(running, "slow", [host])
    host.ssh(f"sudo zypper -n install {kmp}=4")
    host.ssh("sudo zypper -n rr slow")
    host.write("/root/watch.py", _WATCH)
    path, module = f"/lib/modules/{host.kernel}/livepatch/livepatch-4-150400_2_1.ko", "livepatch_4_150400_2_1"
    late = {
        way: json.loads(host.ssh(f"sudo python3 /root/watch.py {path} {module} {way}").splitlines()[-1])
        for way in ("wait", "poll")
    }
    # The other test's level 4 is another one.
    host.ssh(f"sudo zypper -n remove {kmp}=4; sudo rm -rf /var/cache/zypp/packages/slow")
    host.ssh("echo LIVEPATCH_KERNEL=auto | sudo tee /etc/sysconfig/livepatching")
    assert len(late["wait"]) == 20
    medians = {way: statistics.median(values) for way, values in late.items()}
    figures.update(
        {
            "kernel": host.kernel,
            "median in s": round(medians["wait"], 3),
            "worst": round(max(late["wait"]), 3),
            "median of a 1 s poll": round(medians["poll"], 3),
        }
    )
    assert 0 <= medians["wait"] < 0.2 < medians["poll"]


@pytest.mark.parametrize("name", ["lp1", "lp2"])
def test_blockers_among_many_threads(
    running: Lab, controller: Controller, name: str, figures: dict[str, object]
) -> None:
    host = running.host(name)
    ask = Ask(running, controller, host)
    host.write("/root/threads.py", _THREADS)
    host.write("/root/find.py", _FIND)
    host.write("/root/loop.sh", _LOOP)
    host.ssh("echo 100000 | sudo tee /proc/sys/kernel/threads-max /proc/sys/vm/max_map_count >/dev/null")
    ask.add("stalling")
    assert "left running" in ask("livepatch", refresh="always", timeout=5, on_stall="leave")["msg"]
    seconds: dict[int, float] = {}
    for count in (500, 5000):
        host.ssh(
            f"sudo systemd-run --quiet --unit=threads-{count} -p TasksMax=infinity python3 /root/threads.py {count}"
        )
        _wait_for_threads(host, count)
        seconds[count], left, commands = json.loads(host.ssh("sudo python3 /root/find.py"))
        assert commands == ["oom_reaper"]
        assert left == 1
        if count == 5000:
            started = "date +%s.%N; sudo sh /root/loop.sh; date +%s.%N"
            first, found, last = host.ssh(started).split()
            assert found == "oom_reaper"
            loop = float(last) - float(first)
        host.ssh(f"sudo systemctl stop threads-{count}")
    idle = 100
    figures.update(
        {
            "kernel": host.kernel,
            "500 threads in s": round(seconds[500], 3),
            "5,000 threads in s": round(seconds[5000], 3),
            "shell loop in s": round(loop, 1),
            "times faster": round(loop / seconds[5000]),
        }
    )
    assert loop / seconds[5000] >= 20
    # Linear: ten times as many threads cost at most ten times as much, the guest's own hundred counted.
    assert seconds[5000] / seconds[500] <= 1.5 * (5000 + idle) / (500 + idle)


def _wait_for_threads(host: Host, count: int) -> None:
    script = f"until [ $(ls -d /proc/[0-9]*/task/[0-9]* | wc -l) -ge {count} ]; do sleep 1; done"
    host.ssh(f"timeout 120 sh -c '{script}'")

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the bench runs, and what simulated hosts answer to it: recorded once for each version of the collection."""

from __future__ import annotations

import atexit
import dataclasses
import functools
import json
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench import canned
from tests.support.trees import Tree, find_program, place_tree

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[1]
# A canary and another one of each kernel
_HOSTS = 4
# Seconds of a migration that does not end while it is waited for
_SLOW = 35
_FORKS = ["--forks", "10"]
PING = ["ansible", "all", "-m", "ping", *_FORKS]
ROLLOUT = ["ansible-playbook", "fleet.livepatch.rollout", *_FORKS]
STATUS = ["ansible-playbook", "fleet.livepatch.status", *_FORKS]
# On a simulated host packages have no scriptlets, and are installed from files
_INSTALL = r"""
set -e
name=kernel-livepatch-$(cut -d " " -f 3 /proc/version | tr . _)
zypper --non-interactive --xmlout refresh
file=$(zypper --non-interactive --xmlout download "$name.x86_64=3-150400.2.1" | sed "s/.*path=.\([^'\"]*\).*/\1/")
zypper --non-interactive --xmlout install "$file"
insmod /lib/modules/*/livepatch/*.ko
"""
OWN = ["ansible-playbook", str(_HERE / "own_rollout.yml"), *_FORKS]
OWN += ["-e", json.dumps({"own_install": ["sh", "-c", _INSTALL]})]


@functools.cache
def get_bench(name: str = str(_CHECKOUT)) -> canned.Bench:
    """A version of the collection, and what simulated hosts answer to its playbooks.

    :param name: a git revision, or a folder.
    :raises ValueError: there is no such version.
    :raises RuntimeError: a playbook has failed on simulated hosts.
    """
    folder = _make_folder()
    tree = place_tree(name, folder / "tree")
    records = [*_record_others(), *_record(tree, folder, STATUS, ROLLOUT)]
    (probe := folder / "probe").mkdir()
    return canned.Bench(tree, records, canned.measure_ssh(probe, records))


@functools.cache
def get_slow_bench() -> canned.Bench:
    """The same of this checkout, with what hosts answer while their migration goes on."""
    bench, folder = get_bench(), _make_folder()
    # A canary of each kernel, for longer than one is waited for at once: others are asked in the same way
    slow = canned.record(bench.tree, folder, 2, [find_program(ROLLOUT[0]), *ROLLOUT[1:]], seconds=_SLOW)
    # They are others than those of the same names
    slow = [dataclasses.replace(row, host=f"slow {row.host}") for row in slow]
    return bench._replace(records=[*bench.records, *slow])


@functools.cache
def _record_others() -> list[canned.Record]:
    """What is compared with: the same for all versions, over the simulated hosts of this checkout."""
    folder = _make_folder()
    return _record(place_tree(str(_CHECKOUT), folder / "tree"), folder, PING, OWN)


def _record(tree: Tree, folder: Path, *commands: Sequence[str]) -> list[canned.Record]:
    (own := folder / "recording").mkdir()
    script = " && ".join(f'{shlex.join([find_program(command[0]), *command[1:]])} "$@"' for command in commands)
    return canned.record(tree, own, _HOSTS, ["sh", "-c", script, "sh"])


def _make_folder() -> Path:
    """One that goes away with the bench."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

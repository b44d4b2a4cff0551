# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as it is in a folder, or as it was at a git revision, where Ansible can use it."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

_CHECKOUT = Path(__file__).parents[2]
_BELOW = "ansible_collections/fleet/livepatch"
_BIN = Path(sys.executable).parent
# Where versions have their simulated hosts, the newest first
_SIMULATIONS = ("tests.simulated", "tests.scale")


class Tree(t.NamedTuple):
    """``collections`` is what ANSIBLE_COLLECTIONS_PATH is to be."""

    name: str
    collections: Path

    @property
    def root(self) -> Path:
        """The collection's own folder."""
        return self.collections / _BELOW


def place_tree(name: str, folder: Path) -> Tree:
    """Puts the collection into a folder, which is empty.

    :param name: a folder with the collection, whose files are taken as they are now; else a git revision of this
        checkout.
    :raises ValueError: it is neither.
    """
    tree = Tree(name, folder)
    tree.root.mkdir(parents=True)
    if Path(name).is_dir():
        stage = [sys.executable, str(_CHECKOUT / "tests/tools/stage.py"), str(tree.root), str(folder / "stage.list")]
        # Else git, called in a folder of .cache, would not know a checkout
        environment = {key: value for key, value in os.environ.items() if key != "GIT_CEILING_DIRECTORIES"}
        subprocess.run(stage, cwd=name, env=environment, check=True)
    else:
        archive = _run_git("archive", "--format=tar", name)
        if archive.returncode != 0:
            raise ValueError(f"{name} is no folder and no git revision: {archive.stderr.decode().strip()}")
        subprocess.run(["tar", "-x", "-C", str(tree.root)], input=archive.stdout, check=True)
    if not (tree.root / "galaxy.yml").is_file():
        raise ValueError(f"{name} has no galaxy.yml: it is not the collection")
    return tree


def is_revision(name: str) -> bool:
    """Whether git knows a revision of this checkout by that name."""
    return _run_git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").returncode == 0


def _run_git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return subprocess.run(
        ["git", "-C", str(_find_repository()), *arguments], env=environment, capture_output=True, check=False
    )


def _find_repository() -> Path:
    """The checkout, also where this file is that of its staged copy."""
    return next((folder for folder in (_CHECKOUT, *_CHECKOUT.parents) if (folder / ".git").exists()), _CHECKOUT)


def find_simulation(root: Path) -> str:
    """The package that has the simulated hosts in a version of the collection.

    :raises ValueError: it has none.
    """
    for package in _SIMULATIONS:
        if (root / package.replace(".", "/") / "fleet.py").is_file():
            return package
    raise ValueError(f"{root}: no simulated hosts in {', '.join(_SIMULATIONS)}")


def build_environment(collections: Path, home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of Ansible's programs for the collection of a tree: nothing in it leads to another one.

    :param home: Ansible's own folder; it is made.
    :param settings: environment variables, by name.
    """
    home.mkdir(exist_ok=True)
    # An empty one, else Ansible looks for one elsewhere
    (config := home / "ansible.cfg").touch()
    not_ours = ("ANSIBLE_", "PYTHON", "COLUMNS", "LINES")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
    return {
        **inherited,
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "true",
        **settings,
    }


def find_program(name: str) -> str:
    """One of Ansible's programs, of the environment that this runs in."""
    return str(_BIN / name)

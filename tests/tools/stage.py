# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Copies the checkout to where Ansible's tools want a collection: <stage>/ansible_collections/fleet/livepatch.

usage: stage.py DESTINATION LISTING   (from the root of the checkout)

A copy and not a link, since ansible-test does not accept one. Only what differs is copied, so that the tools' caches
hold; what the checkout no longer has goes. LISTING gets one line per file with its hash, for step.py.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

# Made in the staged copy by the tools that run there
TOOL_OUTPUT = {".ansible", "__pycache__", "tests/output"}
# Skipped where git is not there to say what belongs to the project
NOT_OURS = {".git", ".cache", ".venv", ".mypy_cache", ".pytest_cache", ".ruff_cache"} | TOOL_OUTPUT


def git(*arguments: str) -> bytes | None:
    try:
        run = subprocess.run(["git", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return None
    return run.stdout if run.returncode == 0 else None


def is_in(path: str, names: set[str]) -> bool:
    return path in names or os.path.basename(path) in names


def walk(root: str, skipped: set[str]) -> list[str]:
    """The files below root, by their paths relative to it."""
    found = []
    for directory, subdirectories, files in os.walk(root):
        below = os.path.relpath(directory, root)
        prefix = "" if below == "." else below + "/"
        subdirectories[:] = [name for name in subdirectories if not is_in(prefix + name, skipped)]
        found += [prefix + name for name in files if not is_in(prefix + name, skipped)]
    return found


def project_files() -> list[str]:
    # An unpacked archive may well lie inside somebody else's repository
    top = git("rev-parse", "--show-toplevel")
    if top is not None and Path(os.fsdecode(top).rstrip("\n")).resolve() == Path.cwd().resolve():
        listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        if listed is not None:
            return sorted(set(os.fsdecode(listed).split("\0")) - {""})
    return sorted(name for name in walk(".", NOT_OURS) if not name.endswith((".pyc", ".tar.gz")))


def update(source: str, target: Path) -> str:
    """Makes target the same as source and returns their hash."""
    content = Path(source).read_bytes()
    mode = os.stat(source).st_mode & 0o777
    if not (target.is_file() and target.read_bytes() == content and target.stat().st_mode & 0o777 == mode):
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return hashlib.sha256(b"%o " % mode + content).hexdigest()


def main() -> None:
    destination, listing = Path(sys.argv[1]), Path(sys.argv[2])
    destination.mkdir(parents=True, exist_ok=True)
    # Files deleted and not yet committed are still listed by git
    files = [name for name in project_files() if os.path.isfile(name)]
    for name in set(walk(str(destination), TOOL_OUTPUT)) - set(files):
        gone = destination / name
        gone.unlink()
        while gone.parent != destination and not any(gone.parent.iterdir()):
            gone = gone.parent
            gone.rmdir()
    hashes = [f"{update(name, destination / name)}  {name}\n" for name in files]
    listing.write_text("".join(hashes), encoding="utf-8", errors="surrogateescape")


if __name__ == "__main__":
    main()

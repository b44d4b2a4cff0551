# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pins what environments are made of: for each requirements file and Python, the versions, and the archives by hashes.

usage: pin.py [--upgrade]   (from the root of the checkout, in an environment of tests/requirements-pin.txt)

A version that still fits its requirement stays; --upgrade takes the newest that fits. A file does not say where its
archives come from: that is the index that pip is set up with.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# What wheels are for: no supported control node has an older C library
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28")
# Packages without wheels. What builds them is among the requirements (tests/tools/make-venv)
BUILT = ("reuse",)
_HEAD = """\
# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What {source} is on Python {python}, on Linux: made by `make pins`, do not edit.
"""
_BUILT_HEAD = "# Built, by what is above:\n"
_ENTRY = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: \\\n    --hash=sha256:[0-9a-f]{64})+")
# An archive in a lock file
_ARCHIVE = re.compile(r'url = "[^"]*/(?P<name>[^"/]+)"[^}\n]*\bsha256 = "(?P<digest>[0-9a-f]{64})"')


@dataclasses.dataclass(frozen=True)
class Pins:
    """A requirements file on one Python.

    :ivar source: the requirements file, below the checkout.
    :ivar resolved_for: the Python that its packages ask for, where it is not the one that they are installed for.
    """

    source: str
    python: str
    path: str
    dependencies: bool = True
    resolved_for: str = ""

    @property
    def target(self) -> Path:
        return CHECKOUT / self.path


def _list_pins(name: str, *pythons: str) -> list[Pins]:
    """As tests/tools/make-venv looks for them."""
    return [Pins(f"tests/{name}.txt", python, f"tests/pins/{name}/{python}.txt") for python in pythons]


_PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PINS = [
    *_list_pins("requirements", *_PYTHONS),
    *_list_pins("requirements-pin", *_PYTHONS),
    # jpy has no wheels for a newer one
    *_list_pins("requirements-rulebook", "3.10", "3.11", "3.12", "3.13"),
    *_list_pins("requirements-core-2.16", "3.10", "3.11", "3.12"),
    *_list_pins("requirements-core-2.19", "3.11", "3.12", "3.13"),
    *_list_pins("requirements-py36", "3.6"),
    *(
        dataclasses.replace(pins, dependencies=False, resolved_for="3.12")
        for pins in _list_pins("requirements-py36-ansible", "3.6")
    ),
    # The Python of docs/awx/execution-environment.yml
    Pins("docs/awx/requirements.in", "3.11", "docs/awx/requirements.txt"),
]


class PinError(Exception):
    pass


def parse(text: str) -> dict[str, str]:
    """The version of each package of a file of pins.

    :raises PinError: something in it is no package of one version with hashes.
    """
    versions = {}
    without_comments = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    for entry in re.split(r"(?<!\\)\n", without_comments.strip()):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise PinError(f"not a package of one version with hashes: {entry!r}")
        versions[match["name"]] = match["version"]
    return versions


def render(pins: Pins, chosen: list[tuple[str, str]], locks: list[str]) -> str:
    """The file of pins.

    :param chosen: names and versions.
    :param locks: what has these packages' archives, for each platform.
    """
    text = _HEAD.format(source=pins.source, python=pins.python)
    archives = [_list_archives(lock) for lock in locks]
    for name, version in sorted(chosen, key=lambda package: (package[0] in BUILT, package)):
        ending = ".tar.gz" if name in BUILT else ".whl"
        digests = set()
        for platform, listed in zip(PLATFORMS, archives, strict=True):
            suitable = [digest for file, digest in listed.get(name, ()) if file.endswith(ending)]
            if not suitable:
                raise PinError(f"{name} {version} has no {ending} for {platform}")
            digests.update(suitable)
        if name in BUILT and _BUILT_HEAD not in text:
            text += _BUILT_HEAD
        text += " \\\n    --hash=sha256:".join([f"{name}=={version}", *sorted(digests)]) + "\n"
    return text


def _list_archives(lock: str) -> dict[str, list[tuple[str, str]]]:
    """The files and digests of each package."""
    sections = re.findall(r'^\[\[packages\]\]\nname = "([^"]+)"\n(.*?)(?=^\[\[|\Z)', lock, re.MULTILINE | re.DOTALL)
    return {name: _ARCHIVE.findall(section) for name, section in sections}


def resolve(pins: Pins, folder: Path, upgrade: bool) -> str:
    """The text of the file of pins.

    :param folder: an empty one.
    """
    chosen, lock = folder / "chosen.txt", folder / "pylock.toml"
    if pins.target.exists() and not upgrade:
        # uv prefers what stands there
        versions = parse(pins.target.read_text(encoding="utf-8"))
        chosen.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
    packages, locks = [], []
    for platform in PLATFORMS:
        _compile(pins, platform, CHECKOUT / pins.source, chosen, [] if pins.dependencies else ["--no-deps"])
        packages.append(list(_read_chosen(chosen)))
        _compile(pins, platform, chosen, lock, ["--no-deps", "--format", "pylock.toml"])
        locks.append(lock.read_text(encoding="utf-8"))
        lock.unlink()
    if any(other != packages[0] for other in packages):
        raise PinError(f"not the same packages on {' and '.join(PLATFORMS)}: {packages}")
    return render(pins, packages[0], locks)


def _read_chosen(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _equals, version = line.partition("==")
        yield name, version


def _compile(pins: Pins, platform: str, source: Path, target: Path, options: list[str]) -> None:
    command: list[str | Path] = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--no-header"]
    command += ["--no-annotate", "--python-version", pins.resolved_for or pins.python, "--python-platform", platform]
    # Building runs code that has no hash, even if it is only for a package's requirements
    command += ["--only-binary", ":all:", *(word for name in BUILT for word in ("--no-binary", name))]
    command += ["--output-file", target, *options, source]
    # It resolves for Pythons that are not at hand, and needs none of them
    env = {"UV_CACHE_DIR": str(CHECKOUT / ".cache/uv"), **os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    if subprocess.run(command, stdout=subprocess.DEVNULL, env=env, check=False).returncode != 0:
        raise PinError(f"uv could not resolve {pins.source} with wheels for {platform}, see above")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--upgrade", action="store_true")
    upgrade = parser.parse_args().upgrade
    for pins in PINS:
        try:
            with tempfile.TemporaryDirectory() as folder:
                text = resolve(pins, Path(folder), upgrade)
        except PinError as error:
            sys.exit(f"{pins.path}: {error}")
        changed = not pins.target.exists() or pins.target.read_text(encoding="utf-8") != text
        pins.target.parent.mkdir(parents=True, exist_ok=True)
        pins.target.write_text(text, encoding="utf-8")
        print(f"{pins.path}: {'pinned anew' if changed else 'as it was'}", flush=True)


if __name__ == "__main__":
    main()

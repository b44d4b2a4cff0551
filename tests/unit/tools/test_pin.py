# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pins of the environments are those of the requirements, and nothing comes in beside them."""

from __future__ import annotations

import ensurepip
import hashlib
import os
import re
import subprocess
import sys
import typing as t
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import cores
from tests.tools import pin

_ANEW = "run: make pins"
_COLLECTIONS = "tests/requirements-collections.txt"
_PINS = pytest.mark.parametrize("pins", pin.PINS, ids=lambda pins: pins.path)


def _read_requirements(path: Path) -> t.Iterator[Requirement]:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            yield from _read_requirements(path.parent / line[3:])
        elif line and not line.startswith("#"):
            yield Requirement(line)


def _find_unmet(requirements: t.Iterable[Requirement], versions: t.Mapping[str, str]) -> list[str]:
    """The requirements that these versions do not meet."""

    def is_met(requirement: Requirement) -> bool:
        version = versions.get(canonicalize_name(requirement.name))
        return version is not None and requirement.specifier.contains(version)

    return [str(requirement) for requirement in requirements if not is_met(requirement)]


@_PINS
def test_each_requirement_is_pinned(pins: pin.Pins) -> None:
    assert pins.target.exists(), _ANEW
    versions = pin.parse(pins.target.read_text(encoding="utf-8"))
    unmet = _find_unmet(_read_requirements(pin.CHECKOUT / pins.source), versions)
    assert not unmet, f"{pins.path} does not have what {pins.source} asks for: {', '.join(unmet)}; {_ANEW}"


def test_a_requirement_that_is_not_pinned_is_found() -> None:
    asked = [Requirement(text) for text in ("a", "b_c >= 2", "d[extra] < 3", "e", "f == 1.*")]
    assert _find_unmet(asked, {"a": "1", "b-c": "1.9", "d": "2", "f": "2.0"}) == ["b_c>=2", "e", "f==1.*"]


def test_each_file_of_pins_and_of_requirements_is_in_the_list() -> None:
    there = {str(path.relative_to(pin.CHECKOUT)) for path in pin.CHECKOUT.glob("tests/pins/*/*")}
    assert there == {pins.path for pins in pin.PINS if pins.path.startswith("tests/")}
    sources = {str(path.relative_to(pin.CHECKOUT)) for path in pin.CHECKOUT.glob("tests/requirements*.txt")}
    assert sources - {_COLLECTIONS} == {pins.source for pins in pin.PINS if pins.source.startswith("tests/")}


def test_collections_have_hashes_of_their_own() -> None:
    assert set(pin.parse((pin.CHECKOUT / _COLLECTIONS).read_text(encoding="utf-8"))) == {"ansible"}


def test_the_pythons_are_those_that_environments_are_made_of() -> None:
    makefile = (pin.CHECKOUT / "Makefile").read_text(encoding="utf-8")
    (newest,) = re.findall(r"^PYTHONS := (.*)$", makefile, re.MULTILINE)
    wanted = {"requirements": set(newest.split()), "requirements-pin": set(newest.split())}
    wanted |= {f"requirements-core-{version}": set(pythons) for version, pythons in cores.VERSIONS.items()}
    wanted |= {"requirements-py36": {"3.6"}, "requirements-py36-ansible": {"3.6"}}
    for name, pythons in wanted.items():
        assert {pins.python for pins in pin.PINS if pins.source == f"tests/{name}.txt"} == pythons, name


def test_the_execution_environment_is_pinned() -> None:
    folder = pin.CHECKOUT / "docs/awx"
    definition = yaml.safe_load((folder / "execution-environment.yml").read_text(encoding="utf-8"))
    assert "@sha256:" in definition["images"]["base_image"]["name"]
    (pins,) = (pins for pins in pin.PINS if pins.path.startswith("docs/"))
    assert definition["dependencies"]["python_interpreter"]["package_system"] == f"python{pins.python}"
    assert definition["additional_build_files"][0]["src"] == pins.target.name
    (collection,) = definition["dependencies"]["galaxy"]["collections"]
    own = yaml.safe_load((pin.CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))
    assert collection == {"name": f"{own['namespace']}.{own['name']}", "version": own["version"]}
    collections_want = {str(one) for one in _read_requirements(pin.CHECKOUT / "meta/ee-requirements.txt")}
    assert collections_want < {str(one) for one in _read_requirements(folder / "requirements.in")}


_HASH = "    --hash=sha256:" + "0f" * 32


@pytest.mark.parametrize(
    "text",
    [
        "a==1\n",
        f"a>=1 \\\n{_HASH}\n",
        f"a @ https://h/a.whl \\\n{_HASH}\n",
        f"--index-url https://h/simple\na==1 \\\n{_HASH}\n",
        f"a==1 \\\n{_HASH}\n--find-links /opt/wheels\n",
        "a==1 \\\n    --hash=md5:0f0f\n",
        f"-r other.txt\na==1 \\\n{_HASH}\n",
    ],
)
def test_what_is_no_package_of_one_version_with_hashes_is_an_error(text: str) -> None:
    with pytest.raises(pin.PinError, match="not a package of one version with hashes"):
        pin.parse(text)


def _lock(**packages: list[str]) -> str:
    """As uv writes it."""
    return 'lock-version = "1.0"\n' + "".join(
        f'\n[[packages]]\nname = "{name}"\nversion = "1"\nsdist = {_archive(f"{name}-1.tar.gz")}\n'
        f"wheels = [{', '.join(map(_archive, wheels))}]\n"
        for name, wheels in packages.items()
    )


def _archive(name: str) -> str:
    return f'{{ url = "https://h/x/{name}", size = 1, hashes = {{ sha256 = "{_digest(name.encode())}" }} }}'


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_hashes_are_those_of_the_wheels_of_both_platforms() -> None:
    pins = pin.Pins("in.txt", "3.13", "out.txt")
    chosen = [("reuse", "1"), ("a", "1"), ("b", "1"), ("z", "1")]
    locks = [
        _lock(a=["a-1-none-any.whl"], b=[f"b-1-{machine}.whl", f"b-1-abi3-{machine}.whl"], reuse=[], z=["z.whl"])
        for machine in ("x86_64", "aarch64")
    ]
    text = pin.render(pins, chosen, locks)
    assert pin.parse(text) == dict(sorted(chosen))
    entries = {entry.partition("==")[0]: entry for entry in text.split("\n# ")[-1].splitlines() if "==" in entry}
    assert list(entries) == ["reuse"], "what is built comes last, below a line of its own"
    digests = re.findall(r"sha256:(\w+)", text)
    wheels = ["b-1-x86_64.whl", "b-1-abi3-x86_64.whl", "b-1-aarch64.whl", "b-1-abi3-aarch64.whl"]
    names = ["a-1-none-any.whl", *wheels, "z.whl", "reuse-1.tar.gz"]
    assert sorted(digests) == sorted(_digest(name.encode()) for name in names)


@pytest.mark.parametrize("name, ending", [("a", ".whl"), ("reuse", ".tar.gz")])
def test_a_package_without_a_suitable_archive_is_an_error(name: str, ending: str) -> None:
    pins = pin.Pins("in.txt", "3.13", "out.txt")
    lock = _lock(a=["a-1-none-any.whl"])
    with pytest.raises(pin.PinError, match=rf"^{name} 1 has no {ending} for aarch64-manylinux"):
        pin.render(pins, [(name, "1")], [_lock(a=["a.whl"], reuse=[]), lock.replace(".whl", ".zip")])


class _Environment:
    """Made by tests/tools/make-venv, of one package that a folder offers in the versions 1 and 2."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.wheels = folder / "wheels"
        self.wheels.mkdir()
        (pip,) = (Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")
        (self.wheels / pip.name).write_bytes(pip.read_bytes())
        for version in "12":
            with zipfile.ZipFile(self.wheels / f"thing-{version}-py3-none-any.whl", "w") as wheel:
                metadata = f"Metadata-Version: 2.1\nName: thing\nVersion: {version}\n"
                wheel.writestr(f"thing-{version}.dist-info/METADATA", metadata)
                wheel.writestr(f"thing-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
                wheel.writestr(f"thing-{version}.dist-info/RECORD", "")
        (folder / "asked.txt").write_text("pip\nthing\n")
        self.pins = folder / "pins/asked" / f"{sys.version_info[0]}.{sys.version_info[1]}.txt"
        self.pins.parent.mkdir(parents=True)
        self.pins.write_text(self._pin(pip.name) + self._pin("thing-1-py3-none-any.whl"))

    def _pin(self, wheel: str) -> str:
        name, version, *_tags = wheel.split("-")
        return f"{name}=={version} \\\n    --hash=sha256:{_digest((self.wheels / wheel).read_bytes())}\n"

    def make(self, pinned: str = "yes") -> subprocess.CompletedProcess[str]:
        python = Path(sys.executable).resolve()
        command = [str(pin.CHECKOUT / "tests/tools/make-venv"), "env", str(python), "asked.txt"]
        offered = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PINNED": pinned}
        return subprocess.run(
            command,
            cwd=self._folder,
            env={**os.environ, "PIP_CONFIG_FILE": os.devnull, **offered},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    @property
    def packages(self) -> list[str]:
        return (self._folder / "env/.packages").read_text(encoding="utf-8").splitlines()


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    environment = _Environment(tmp_path)
    with (environment.wheels / "thing-1-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"\0")
    run = environment.make()
    assert run.returncode != 0 and "DO NOT MATCH THE HASHES" in run.stdout, run.stdout
    assert not (tmp_path / "env/.packages").exists(), "the next attempt begins anew"


@pytest.mark.slow
def test_an_environment_is_made_of_its_pins_if_it_has_some(tmp_path: Path) -> None:
    environment = _Environment(tmp_path)
    run = environment.make()
    assert run.returncode == 0 and run.stdout.endswith(", asked.txt, pinned\n"), run.stdout
    assert "thing==1" in environment.packages
    assert environment.make().stdout == "", "it is there already"
    run = environment.make(pinned="no")
    assert run.returncode == 0 and run.stdout.endswith(", asked.txt, not pinned (PINNED=no)\n"), run.stdout
    assert "thing==2" in environment.packages
    environment.pins.unlink()
    (tmp_path / "asked.txt").write_text("pip\nthing < 2\n")
    run = environment.make()
    assert run.returncode == 0, run.stdout
    assert re.search(r", asked\.txt, not pinned: there is no \./pins/asked/3\.\d+\.txt\n$", run.stdout), run.stdout
    assert "thing==1" in environment.packages

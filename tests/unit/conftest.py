# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the patched host's code share: recorded outputs, and hosts that are a directory. Python 3.6."""

import base64
import sys
from typing import Any

import pytest

from tests.support import factories
from tests.support.machine import Directory, Machine
from tests.support.recordings import load, load_completed


@pytest.fixture(autouse=True)
def _door(monkeypatch: Any) -> None:
    """What the host's code returns is an answer that the control node takes, wherever its Python runs."""
    if sys.version_info >= (3, 10):  # noqa: UP036 - these tests run with Python 3.6 as well
        from tests.support import door

        door.watch_results(monkeypatch)


@pytest.fixture(scope="session")
def recorded() -> Any:
    """What a tool answered, by the name of the file."""
    return load_completed


@pytest.fixture(scope="session")
def recorded_notes() -> Any:
    """The content of /sys/kernel/notes and the build ID in it, by kernel."""

    def get(kernel: str) -> Any:
        case = load("notes-" + kernel)
        return base64.b64decode(case["notes"]), case["build_id"]

    return get


@pytest.fixture(scope="session")
def recorded_tree() -> Any:
    """Files by path, by the name of the file."""
    return load


@pytest.fixture(scope="session")
def note() -> Any:
    return factories.note


@pytest.fixture(scope="session")
def elf() -> Any:
    return factories.module


@pytest.fixture
def host(tmp_path: Any) -> Any:
    """A host without anything: files come with put(), answers of tools with answers."""
    return Directory(str(tmp_path))


@pytest.fixture
def machine(tmp_path: Any) -> Any:
    """A host that behaves: unpatched, with levels 1, 2 and 3 on offer."""
    return Machine(str(tmp_path))

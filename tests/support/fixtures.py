# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests that need the lab. Their conftest.py imports them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.fleet import Lab
from tests.support.controller import Controller


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of this checkout. Hosts that were up, as by `make lab`, are replaced; all of them end with the tests."""
    opened = Lab.open(print)
    yield opened
    opened.down()


@pytest.fixture(scope="module")
def fleet(lab: Lab, controller: Controller) -> Lab:
    """Four new hosts, which the tests of one file use in turn."""
    lab.up(4, fresh=True)
    controller.forget()  # their names are those of the hosts before
    return lab


@pytest.fixture(scope="session")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    """A control node."""
    return Controller(tmp_path_factory.mktemp("controller"))

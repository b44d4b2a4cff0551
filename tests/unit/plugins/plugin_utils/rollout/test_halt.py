# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt flag: once it is there, or cannot be read, no host starts."""

from __future__ import annotations

import pytest

from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import halt


def test_set_and_cleared(tmp_path):
    variables = {"livepatch_halt_file": str(tmp_path / "deep" / "halt")}
    assert halt.reason(variables) is None
    halt.write(variables, "the array misbehaves")
    assert "halted" in halt.reason(variables)
    assert "the array misbehaves" in halt.reason(variables)
    assert halt.clear(variables) is True
    assert halt.clear(variables) is False
    assert halt.reason(variables) is None


def test_a_flag_that_cannot_be_read_halts(tmp_path):
    assert "cannot be read" in halt.reason({"livepatch_halt_file": str(tmp_path)})


def test_by_default_it_is_below_ansibles_own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path))
    halt.write({}, "")
    assert "no reason is given" in halt.reason({})
    assert (tmp_path / "fleet.livepatch" / "halt").exists()


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(100, [1, 1, 5, 25, 68]), (10, [1, 1, 5, 10, 10, 5, 10, 10, 10, 10, 10, 10, 8])],
)
def test_batches(most, sizes):
    from ansible_collections.fleet.livepatch.plugins.plugin_utils.rollout import hosts, plan

    fleet = [hosts.Host(f"h{n:03}", "unpatched", "", "r", "aa", "x86_64", "f", None, "klp-3", "b") for n in range(100)]
    told = plan.make(fleet, ["1%", "5%", "25%"], "", most).as_result()
    assert told["sizes"] == sizes
    assert sum(sizes) == len(told["hosts"])
    assert len(told["hash"]) == 64
    with pytest.raises(hosts.PlanError, match="at least one"):
        plan.make(fleet, [], "", 0)

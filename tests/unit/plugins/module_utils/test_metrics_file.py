# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _metrics_file
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption


def test_written_as_a_whole(host: Any) -> None:
    host.put("/metrics/")
    for text in ("livepatch_level 2\n", "livepatch_level 3\n"):
        assert _metrics_file.write_metrics(host, "/metrics", text, False) == {"changed": False}
        assert host.is_saved("/metrics/livepatch.prom", text, 0o644)
    assert host.list_names("/metrics") == ["livepatch.prom"]


def test_check_mode(host: Any) -> None:
    host.put("/metrics/")
    assert _metrics_file.write_metrics(host, "/metrics", "x 1\n", True) == {"changed": False}
    assert host.list_names("/metrics") == []


@pytest.mark.parametrize("check_mode", [False, True])
def test_no_directory(host: Any, check_mode: bool) -> None:
    host.put("/metrics/file")
    for folder in ("/nothing", "/metrics/file"):
        with pytest.raises(BadOption, match=f"metrics_dir is {folder}, which is no directory.*collector.textfile"):
            _metrics_file.write_metrics(host, folder, "x 1\n", check_mode)
    assert host.list_names("/nothing") == []

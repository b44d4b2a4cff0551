# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import port
from ansible_collections.fleet.livepatch.plugins.module_utils._packages.zypper import Zypper


@pytest.mark.parametrize(
    "said, told",
    [
        ("cannot reach https://me:pw@host/path/?token more", "cannot reach https://host/path/?... more"),
        ("accessing 'http://token@host/main/x.rpm'.", "accessing 'http://host/main/x.rpm'."),
        ("http://me:p@w?d@host:81/main?a=b&amp;c=d@e/f", "http://host:81/main?..."),
        ("404 for https://host/a?auth=1 and https://u:p@b/c", "404 for https://host/a?... and https://b/c"),
        ("https://updates.example.com?s3cr3t", "https://updates.example.com?..."),
        ("http://host/a and b@example.com? file:///srv/repo", "http://host/a and b@example.com? file:///srv/repo"),
        (" two\n  lines ", "two lines"),
        ("\n", "no output"),
        ("x" * 290 + " https://me:secret@host/path?token", "x" * 290 + " https://h"),
    ],
)
def test_brief(said: str, told: str) -> None:
    assert port.shorten_output(said) == told


@pytest.mark.parametrize("folder, found", [("lab", 1), ("a b", 1), ("a\nb", 0), ("\x1b[2J", 0), ("\u202e", 0)])
def test_path_with_control_characters(host: Any, folder: str, found: int) -> None:
    candidate = port.Candidate("kmp", "3-1", "x86_64", folder)
    host.put(f"/var/cache/zypp/packages/{folder}/x86_64/kmp-3-1.x86_64.rpm")
    assert bool(Zypper(host, 1).find_cached(candidate)) is bool(found)

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libzypp's file of locks, and the configuration by which zypper passes over some of them."""

from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._packages import zypp_locks

_PATTERN = "kernel-livepatch-[0-9]*"
_OURS = "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: " + _PATTERN
_VIM = "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: vim*"


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("", set()),
        (_OURS, {_PATTERN}),
        (_VIM + "\n\n" + _OURS + "\n\n", {"vim*", _PATTERN}),
        ("\n\n" + _VIM + "\n \n# mine\n" + _OURS, {"vim*", _PATTERN}),
        # They hold some of the packages only
        (_OURS + "\nversion: < 3", set()),
        (_OURS + "\nrepo: lab", set()),
        (_OURS + "\nsolvable_arch: x86_64", set()),
        (_OURS.replace("package", "patch"), set()),
        (_OURS.replace("glob", "exact"), set()),
        (_OURS + "\ninstall_status: installed", set()),
        (_OURS + "\ninstall_status: all", {_PATTERN}),
        ("type: package", set()),
    ],
)
def test_what_is_held(text: str, patterns: Any) -> None:
    assert zypp_locks.list_patterns(text) == patterns


@pytest.mark.parametrize(
    ("files", "path", "settings"),
    [
        ({}, "/etc/zypp/locks", []),
        ({"/etc/zypp/zypp.conf": "[main]\na = 1"}, "/etc/zypp/locks", ["[main]", "a = 1"]),
        ({"/usr/etc/zypp/zypp.conf": "[main]\na = 1"}, "/etc/zypp/locks", ["[main]", "a = 1"]),
        (
            {
                "/etc/zypp/zypp.conf": "[main]\nlocksfile.path = /etc/mine",
                "/usr/etc/zypp/zypp.conf": "[main]\nb = 2",
                "/etc/zypp/zypp.conf.d/20.conf": "[main]\nc = 3",
                "/usr/etc/zypp/zypp.conf.d/20.conf": "[main]\nd = 4",
                "/usr/etc/zypp/zypp.conf.d/10.conf": "[main]\ne = 5",
                "/usr/etc/zypp/zypp.conf.d/30.rpmsave": "[main]\nf = 6",
            },
            "/etc/mine",
            ["[main]", "locksfile.path = /etc/mine", "[main]", "e = 5", "[main]", "c = 3"],
        ),
    ],
)
def test_all_but_the_lock_is_as_it_was(host: Any, files: Any, path: str, settings: Any) -> None:
    for name, text in files.items():
        host.put(name, text)
    host.put(path, _VIM + "\n\n" + _OURS + "\n\n" + _OURS + "\nversion: < 3\n")
    assert zypp_locks.find_file(host) == path
    given = zypp_locks.prepare_without(host, [_PATTERN])["ZYPP_CONF"]
    *kept, section, locks = [line for line in host.read_text(given).split("\n") if line]
    assert (kept, section) == (settings, "[main]")
    assert locks.startswith("locksfile.path = ")
    left = host.read_text(locks.partition(" = ")[2])
    assert left == _VIM + "\n\n" + _OURS + "\nversion: < 3"
    assert host.read_text(path).count(_PATTERN) == 2, "others go by this one"

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""libzypp's file of locks, and how zypper is run without some of them. PRIVATE: it may change at any time.

The file's entries are separated by empty lines, and each has a line for each attribute (locks(5)). zypper has no option
to pass over a lock, so it is given another file of locks: by ``locksfile.path`` (zypp.conf(5)) in a configuration that
the environment variable ZYPP_CONF names. libzypp reads nothing but that file then (zypp/ZConfig.h), so it has all that
the system's files have: one up to libzypp 17.38.0, and those that zypp.conf(5) names under "FILES" since. What a commit
writes of locks goes to the other file of locks, too.
"""

import re
from typing import Dict, List, Sequence, Set

from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_BUILT_IN = "/etc/zypp/locks"
# The first that is there counts; of others beside it the first of each name.
_FOLDERS = ("/etc/zypp", "/run/zypp", "/usr/etc/zypp")
_FILE = "zypp.conf"
# Attributes by which an entry locks no more packages, or none less, than its name says
_PLAIN = {"type": ("package",), "match_type": ("glob",), "case_sensitive": None, "install_status": ("all",)}
_OWN_CONFIGURATION = "/run/fleet.livepatch/zypp.conf"
_OWN_FILE = "/run/fleet.livepatch/zypp-locks"


def find_file(host: Host) -> str:
    """The path of the system's file of locks."""
    return _find_file(_read_configuration(host))


def list_patterns(text: str) -> Set[str]:
    """The names, or patterns of them, of which a file of locks holds all packages."""
    return {name for block in _split(text) for name in _list_names(block)}


def prepare_without(host: Host, patterns: Sequence[str]) -> Dict[str, str]:
    """Prepare a configuration in which these patterns are not locked, and all else is as it is.

    :returns: the environment that zypper takes it from.
    :raises Unmeasured: it cannot be written.
    """
    configuration = _read_configuration(host)
    others = [
        block
        for block in _split(host.read_text(_find_file(configuration)) or "")
        if not _list_names(block) or not _list_names(block) <= set(patterns)
    ]
    # A section that comes again adds to what is there, and the last value counts.
    wanted = {
        _OWN_FILE: "\n\n".join(others),
        _OWN_CONFIGURATION: f"{configuration}\n[main]\nlocksfile.path = {_OWN_FILE}",
    }
    for path, text in wanted.items():
        if host.read_text(path) != text:
            host.save(path, text + "\n")
    return {"ZYPP_CONF": _OWN_CONFIGURATION}


def _read_configuration(host: Host) -> str:
    texts = [text for text in (host.read_text(f"{folder}/{_FILE}") for folder in _FOLDERS) if text is not None][:1]
    beside: Dict[str, str] = {}
    for folder in _FOLDERS:
        for name in host.list_names(f"{folder}/{_FILE}.d"):
            if name.endswith(".conf"):
                beside.setdefault(name, host.read_text(f"{folder}/{_FILE}.d/{name}") or "")
    return "\n".join([*texts, *(beside[name] for name in sorted(beside))])


def _find_file(configuration: str) -> str:
    paths: List[str] = re.findall(r"^\s*locksfile\.path\s*=\s*(\S+)\s*$", configuration, re.MULTILINE)
    return paths[-1] if paths else _BUILT_IN


def _split(text: str) -> List[str]:
    return [block for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]


def _list_names(block: str) -> Set[str]:
    """The names that an entry locks, none where it does so for some of their packages only."""
    names = set()
    for line in block.split("\n"):
        key, _colon, value = (part.strip() for part in line.partition(":"))
        if key == "solvable_name":
            names.add(value)
        elif key and not key.startswith("#") and (key not in _PLAIN or value not in (_PLAIN[key] or (value,))):
            return set()
    return names

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that describe repositories, for zypper and dnf alike. PRIVATE: it may change at any time."""

import configparser
from typing import List

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# More than any file has
_SIZE_MAX = 1 << 20
_SECTIONS_MAX = 1000
# As libzypp (str::strToTrue) and dnf read a truth value
_TRUE = ("1", "true", "yes", "on", "always", "enabled")


def read_settings(host: Host, path: str) -> configparser.ConfigParser:
    """Read such a file; empty where there is none.

    :raises Unmeasured: it cannot be read.
    """
    text = host.read_text(path) or ""
    if len(text) > _SIZE_MAX or text.count("[") > _SECTIONS_MAX:
        raise Unmeasured(f"{path} is larger than {_SIZE_MAX >> 20} MiB, or has more than {_SECTIONS_MAX} sections")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text, source=path)
    except configparser.Error as exc:
        raise Unmeasured(f"{path} cannot be read: {exc.message.splitlines()[0]}", "Fix the file") from exc
    return parser


def list_enabled(host: Host, folder: str) -> List[str]:
    """List the names of the enabled repositories: the sections of all files in the folder, but for ``main``.

    :raises Unmeasured: one of the files cannot be read.
    """
    parsed = [read_settings(host, f"{folder}/{file}") for file in host.list_names(folder) if file.endswith(".repo")]
    return [
        name
        for settings in parsed
        for name in settings.sections()
        if name != "main" and settings.get(name, "enabled", fallback="1").strip().lower() in _TRUE
    ]

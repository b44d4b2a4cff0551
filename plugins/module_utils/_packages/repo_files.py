# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that describe repositories, for zypper and dnf alike. PRIVATE: it may change at any time."""

import configparser
from typing import Dict, List, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

# More than any file has
_SIZE_MAX = 1 << 20
_SECTIONS_MAX = 1000
# As libzypp (str::strToTrue) and dnf read a truth value
_TRUE = ("1", "true", "yes", "on", "always", "enabled")
_FALSE = ("0", "false", "no", "off", "never", "disabled")
# Whether signatures are checked: of a repository's packages or metadata, of its metadata, of its packages
_CHECKS = ("gpgcheck", "repo_gpgcheck", "pkg_gpgcheck")


def read_settings(host: Host, path: str) -> configparser.ConfigParser:
    """Read such a file; empty where there is none.

    :raises Unmeasured: it cannot be read.
    """
    return parse_settings(host.read_text(path) or "", path)


def parse_settings(text: str, path: str) -> configparser.ConfigParser:
    """Parse the text of such a file.

    :param path: where it is from.
    :raises Unmeasured: it cannot be read.
    """
    if len(text) > _SIZE_MAX or text.count("[") > _SECTIONS_MAX:
        raise Unmeasured(f"{path} is larger than {_SIZE_MAX >> 20} MiB, or has more than {_SECTIONS_MAX} sections")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text, source=path)
    except configparser.Error as exc:
        raise Unmeasured(f"{path} cannot be read: {exc.message.splitlines()[0]}", "Fix the file") from exc
    return parser


def read_checks(host: Host, path: str, built_in: bool) -> Dict[str, bool]:
    """Read which signatures a tool's own configuration has checked, of repositories that do not say it themselves.

    :param built_in: what holds for ``gpgcheck`` where the file does not say it, either.
    :raises Unmeasured: it cannot be read.
    """
    settings = read_settings(host, path)
    values = {key: _read_truth(settings, "main", key) for key in _CHECKS}
    return dict({"gpgcheck": built_in}, **{key: value for key, value in values.items() if value is not None})


def _read_truth(settings: configparser.ConfigParser, section: str, key: str) -> Optional[bool]:
    """None where it is not set, or to what is no truth value, which the tools pass over."""
    word = settings.get(section, key, fallback="").strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def list_enabled(host: Host, folder: str) -> List[str]:
    """List the names of the enabled repositories.

    :raises Unmeasured: one of the files cannot be read.
    """
    return [name for name, _checked in list_with_checks(host, folder, {})]


def list_with_checks(host: Host, folder: str, checks: Dict[str, bool]) -> List[Tuple[str, bool]]:
    """List the enabled repositories: the sections of all files in the folder, but for ``main``; of each its name, and
    whether any of its signatures are checked.

    :param checks: what holds where a repository does not say it.
    :raises Unmeasured: one of the files cannot be read.
    """
    parsed = [read_settings(host, f"{folder}/{file}") for file in host.list_names(folder) if file.endswith(".repo")]
    return [
        (name, any(_decide(_read_truth(settings, name, key), checks.get(key, False)) for key in _CHECKS))
        for settings in parsed
        for name in settings.sections()
        if name != "main" and settings.get(name, "enabled", fallback="1").strip().lower() in _TRUE
    ]


def _decide(own: Optional[bool], otherwise: bool) -> bool:
    return otherwise if own is None else own

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that describes a repository to zypper and dnf. PRIVATE: it may change at any time. Pure."""

import re
from typing import List
from urllib.parse import unquote

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption

KEY_FOLDER = "/etc/pki/rpm-gpg"
_NAME = re.compile(r"(?!main\Z)[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
# Both tools take a blank or a comma for the end of an address, and a slash in a password for the begin of its path.
# $releasever and ${arch} are variables of theirs.
_WORD = r"[A-Za-z0-9._~!$&'()*+;=:%{}-]*"
_URL = re.compile(
    r"(?:https?://(?:(?P<login>"
    + _WORD
    + r")@)?(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._${}-]+)(?::[0-9]{1,5})?|file://(?=/))"
    r"(?:/(?:" + _WORD + r"/)*" + _WORD + r")?(?P<rest>(?:[?#][A-Za-z0-9._~!$&'()*+;=:%{}/?#@\[\]-]*)?)\Z"
)
# Shorter words are in any text.
_SECRET_LENGTH = 3
_TEXT = """# Ansible managed: role fleet.livepatch.repository
[{name}]
name={name}
enabled=1
autorefresh=1
baseurl={url}
gpgcheck=1
pkg_gpgcheck=1
repo_gpgcheck={signed_metadata}
gpgkey=file://{key_path}
"""


def validate_name(name: str) -> None:
    """:raises BadOption: no file and no section of it can be called so."""
    if not _NAME.match(name):
        raise BadOption(
            f"livepatch_repository_name is {name[:80]!r}, and must be a word of letters, digits, dots, hyphens and "
            "underscores that begins with a letter or a digit, and not main"
        )


def validate_url(url: str) -> None:
    """:raises BadOption: it is no address, or one that a package manager would read as another. It is not shown."""
    if not _URL.match(url):
        raise BadOption(
            "livepatch_repository_url must be an address that begins with https://, http:// or file://, without "
            "blanks, commas and line breaks",
            "Write other characters than those of an address, and @ and / in a password, as % and two digits",
        )


def format_key_path(name: str) -> str:
    return f"{KEY_FOLDER}/RPM-GPG-KEY-{name}"


def format_repository_file(name: str, url: str, signed_metadata: bool) -> str:
    return _TEXT.format(name=name, url=url, signed_metadata=int(signed_metadata), key_path=format_key_path(name))


def list_secrets(url: str) -> List[str]:
    """What of an address is not shown: the user, who may be a token, the password, and what follows the path; as they
    are, and as tools print them.
    """
    match = _URL.match(url)
    if match is None:
        return [url] if url else []
    login, rest = match.group("login") or "", match.group("rest")[1:]
    parts = [part.partition("=")[2] or part for part in re.split("[&;#]", rest)]
    words = [login, *login.split(":", 1), rest, *parts]
    forms = {form for word in words for form in (word, unquote(word)) if len(form) >= _SECRET_LENGTH}
    return sorted(forms, key=lambda form: (-len(form), form))

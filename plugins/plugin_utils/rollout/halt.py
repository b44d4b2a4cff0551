# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The halt flag: once it is there no host starts. PRIVATE to the collection.

It is a file on the controller, so that whoever sees a rollout go wrong can stop it from another terminal.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

VARIABLE = "livepatch_halt_file"


def path(variables: t.Mapping[str, t.Any]) -> Path:
    """Where the flag is: ``livepatch_halt_file``, else below Ansible's own folder in the user's home."""
    home = os.environ.get("ANSIBLE_HOME", "~/.ansible")
    return Path(variables.get(VARIABLE) or f"{home}/fleet.livepatch/halt").expanduser()


def reason(variables: t.Mapping[str, t.Any]) -> str | None:
    """Why no host may start, None where nobody has halted the rollouts. A flag that cannot be read halts."""
    flag = path(variables)
    try:
        text = flag.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return None
    except OSError as exc:
        return f"the halt flag {flag} cannot be read: {exc.strerror}"
    return f"rollouts are halted ({flag}): {text or 'no reason is given'}"


def write(variables: t.Mapping[str, t.Any], text: str) -> None:
    """:raises OSError: it cannot be written."""
    flag = path(variables)
    flag.parent.mkdir(parents=True, exist_ok=True)
    flag.write_text(text + "\n", encoding="utf-8")


def clear(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether there was a flag to take away."""
    try:
        path(variables).unlink()
    except FileNotFoundError:
        return False
    return True

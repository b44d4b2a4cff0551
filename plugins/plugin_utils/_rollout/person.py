# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The person on whose behalf a task runs, as the control node knows it. PRIVATE to the collection.

No setting names it: anybody can give an extra variable. It is, in this order,

* the login to which the kernel counts the process (proc_pid_loginuid(5)), which sudo and su do not change;
* in a job of AWX, which runs in no login, the user who launched it. AWX writes what it knows of a job over the extra
  variables of users, but of a job that no user has launched (a schedule, a webhook) it knows no user's name, and leaves
  one that was given. So the name counts by how the job was launched, which AWX always says
  (``awx_meta_vars`` in awx/main/models/unified_jobs.py, ``build_extra_vars_file`` in awx/main/tasks/jobs.py);
* the user who called sudo, if this is root, and else the user of the process.
"""

from __future__ import annotations

import dataclasses
import os
import pwd
import typing as t
from pathlib import Path

# What the kernel says of a process that belongs to no login
_NO_LOGIN = 0xFFFFFFFF
# By users: how AWX calls it
_BY_USER = ("manual", "relaunch")
_PREFIXES = ("awx", "tower")


@dataclasses.dataclass(frozen=True)
class Person:
    name: str
    # Whether it is one, and not a job that runs by itself
    is_known: bool = True


def identify_person(
    extra: t.Mapping[str, t.Any], environment: t.Mapping[str, str] | None = None, proc: Path = Path("/proc")
) -> Person:
    """
    :param extra: the extra variables of the run.
    :param environment: that of the process, unless another one is given.
    """
    environment = os.environ if environment is None else environment
    login = _read_login(proc)
    if login is not None:
        return Person(_get_name(login))
    if environment.get("JOB_ID") and environment.get("AWX_PRIVATE_DATA_DIR"):
        return _identify_launcher(extra, environment["JOB_ID"])
    user = os.getuid()
    caller = environment.get("SUDO_UID", "")
    return Person(_get_name(int(caller) if user == 0 and caller.isdecimal() else user))


def _read_login(proc: Path) -> int | None:
    try:
        login = int((proc / "self/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):  # a kernel without audit
        return None
    return None if login == _NO_LOGIN else login


def _identify_launcher(extra: t.Mapping[str, t.Any], job_id: str) -> Person:
    keys = ("job_id", "job_launch_type", "workflow_job_launch_type", "user_name")
    # AWX gives the same under each prefix, older and newer ones under one of them only.
    given = {
        tuple(str(extra.get(f"{prefix}_{key}") or "") for key in keys)
        for prefix in _PREFIXES
        if f"{prefix}_job_id" in extra
    }
    job, launch, of_workflow, user = given.pop() if len(given) == 1 else ("", "", "", "")
    if user and job == job_id and (of_workflow if launch == "workflow" else launch) in _BY_USER:
        return Person(user)
    return Person(f"AWX job {job_id}" + (f" ({launch})" if launch else ""), is_known=False)


def _get_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # as in a container
        return f"the user {user}"

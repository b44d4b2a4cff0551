# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role repository shows of addresses: its own expressions, with the output that a tool would have."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

_ROLE = Path(__file__).parents[2] / "roles/repository"
_SAID = "Timeout exceeded when accessing\n'{}'. Is it down?"


def _rendered(folder: Path, expressions: dict[str, str], variables: dict[str, t.Any]) -> dict[str, t.Any]:
    told = folder / "told.json"
    copy = {"content": "{{ told | to_json }}", "dest": str(told)}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(_ROLE / "vars/main.yml")],
        "vars": {**variables, "told": expressions, "ansible_python_interpreter": sys.executable},
        "tasks": [{"ansible.builtin.copy": copy}],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    run = subprocess.run(
        ["ansible-playbook", "-i", "localhost,", "-c", "local", folder / "play.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return t.cast("dict[str, t.Any]", json.loads(told.read_text()))


@pytest.mark.parametrize(
    ("url", "shown", "hidden"),
    [
        ("https://me:secret@mirror.example.com/main", "https://mirror.example.com/main'. Is it down?", True),
        ("https://mirror.example.com/main?secret", "https://mirror.example.com/main? Is it down?", True),
        ("https://mirror.example.com/main", "https://mirror.example.com/main'. Is it down?", False),
    ],
    ids=["password", "token", "neither"],
)
def test_no_secret_of_an_address_is_told(tmp_path: Path, url: str, shown: str, hidden: bool) -> None:
    tasks = yaml.safe_load((_ROLE / "tasks/url.yml").read_text())
    (described,) = (task for task in tasks if "ansible.builtin.template" in task)
    (asked,) = (task for task in tasks if task.get("register") == "__livepatch_refresh")
    checks = [task["ansible.builtin.assert"] for task in tasks if "ansible.builtin.assert" in task]
    told = _rendered(
        tmp_path,
        {
            "file": described["no_log"],
            "tool": asked["no_log"],
            "answer": checks[-1]["fail_msg"],
            "said": "{{ __livepatch_repository_message }}",
        },
        {
            "repository_url": url,
            "repository_name": "kmps",
            "__livepatch_refresh": {"stdout": _SAID.format(url), "stderr": ""},
            "__livepatch_answer": {"rc": 0, "stdout": _SAID.format(url)},
        },
    )
    assert (told["file"], told["tool"]) == (hidden, hidden)
    assert f"Timeout exceeded when accessing '{shown}" in told["answer"]
    assert told["said"] == f"Timeout exceeded when accessing '{shown}"
    assert "secret" not in str(told)

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tests.lab import ssh
from tests.lab.errors import LabError
from tests.lab.fleet import Lab


def _say(line: str) -> None:
    print(line, flush=True)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("a fleet has 1 to 64 hosts")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="Virtual machines to live patch.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="build what is missing, start hosts, print the inventory's path")
    up.add_argument("--hosts", type=_count, default=4, metavar="N")
    up.add_argument("--fresh", action="store_true", help="replace running hosts by new clones")
    up.set_defaults(run=_up)
    commands.add_parser("down", help="end all the lab's processes").set_defaults(run=_down)
    commands.add_parser("status", help="what runs").set_defaults(run=_status)
    commands.add_parser("build", help="build all that is cached, start nothing").set_defaults(run=_build)
    shell = commands.add_parser("ssh", help="a shell on a host, or a command: ssh HOST -- COMMAND")
    shell.add_argument("host")
    shell.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    shell.set_defaults(run=_ssh)
    return parser


def _up(lab: Lab, options: argparse.Namespace) -> None:
    lab.up(options.hosts, fresh=options.fresh)
    _say(str(lab.inventory))


def _down(lab: Lab, _options: argparse.Namespace) -> None:
    lab.down()
    _say("down")


def _build(lab: Lab, _options: argparse.Namespace) -> None:
    lab.build()
    _say("built")


def _status(lab: Lab, _options: argparse.Namespace) -> None:
    for host in lab.hosts:
        state = f"up on {ssh.ADDRESS}:{host.port}" if host.alive() else "dead"
        _say(f"{host.name}: {state} ({host.kernel}, domain {host.domain}, pid {host.pid}, console {host.console})")
    _say("repository: " + (lab.repository.url("main") if lab.repository.running() else "not running"))


def _ssh(lab: Lab, options: argparse.Namespace) -> None:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    command = ssh.command(lab.keys, lab.host(options.host).port, "ops", words)
    os.execvp(command[0], command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code."""
    options = _parser().parse_args(arguments)
    act: Callable[[Lab, argparse.Namespace], None] = options.run
    try:
        act(Lab.open(_say), options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; what was started so far ends by: python -m tests.lab down", file=sys.stderr)
        return 130
    return 0

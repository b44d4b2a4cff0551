# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator wants to hold on a host: commands, URLs, services. PRIVATE to the collection."""

import shlex
import urllib.parse
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_LONGEST = 160


# commands: each the words of one, without a shell. timeout: seconds that each of them may take.
class Probes(NamedTuple):
    commands: Sequence[List[str]]
    urls: Sequence[str]
    services: Sequence[str]
    timeout: float


# passed: None if it was not run.
class Found(NamedTuple):
    kind: str
    name: str
    passed: Optional[bool]
    text: str


def probes(options: Dict[str, Any]) -> Probes:
    """The option ``probes`` of the module, looked through before any of them runs.

    :raises BadOption: one of them cannot be meant.
    """
    if options["timeout"] <= 0:
        raise BadOption("probes.timeout is {timeout}".format(**options), "It is the seconds that each may take")
    for url in options["urls"]:
        _check_url(url)
    return Probes(
        [_words(one) for one in options["commands"]], options["urls"], options["services"], options["timeout"]
    )


def run(host: Host, wanted: Probes, check_mode: bool) -> List[Dict[str, Any]]:
    """All of them, one after the other. In check mode no command is run, since nobody knows what it does."""
    found = [_command(host, words, wanted.timeout, check_mode) for words in wanted.commands]
    found += [_url(url, wanted.timeout) for url in wanted.urls]
    found += [_service(host, name, wanted.timeout) for name in wanted.services]
    return [dict(one._asdict(), text=one.text[:_LONGEST]) for one in found]


def _words(command: str) -> List[str]:
    try:
        words = shlex.split(command)
    except ValueError as exc:
        raise BadOption(f"probes.commands: {command!r} cannot be split into words: {exc}", "Mend its quotes") from exc
    if not words:
        raise BadOption("probes.commands: one of them is empty", "Leave it out")
    return words


def _check_url(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise BadOption(f"probes.urls: {url!r} is no URL of HTTP", "It begins with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise BadOption(
            f"probes.urls: the URL of {parts.hostname} holds a user name or a password, and would be in every result",
            "Probe a path that needs none, or use a command",
        )


def _command(host: Host, words: List[str], seconds: float, check_mode: bool) -> Found:
    name = " ".join(words)
    if check_mode:
        return Found("command", name, None, "commands are not run in check mode")
    try:
        answer = host.run(words, seconds=seconds)
    except Unmeasured as exc:
        return Found("command", name, False, str(exc))
    said = _last_line(answer.err) or _last_line(answer.out)
    return Found("command", name, answer.rc == 0, "exit code {}{}".format(answer.rc, ": " + said if said else ""))


def _url(url: str, seconds: float) -> Found:
    # Here: to import them takes longer than all else that most hosts are asked for.
    import http.client
    import urllib.request

    # No more handlers than these: a status that is an error, or sends us elsewhere, is an answer like others.
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=seconds) as answer:
            status = answer.getcode()
    except (OSError, http.client.HTTPException, ValueError) as exc:
        why = getattr(exc, "reason", exc)
        return Found("url", url, False, f"no answer: {_last_line(str(why)) or type(why).__name__}")
    return Found("url", url, 200 <= status < 400, f"HTTP status {status}")


def _service(host: Host, name: str, seconds: float) -> Found:
    try:
        answer = host.run(["systemctl", "is-active", "--", name], seconds=seconds)
    except Unmeasured as exc:
        return Found("service", name, False, str(exc))
    told = _last_line(answer.out) or _last_line(answer.err) or f"systemctl ended with {answer.rc}"
    return Found("service", name, answer.rc == 0, told)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""

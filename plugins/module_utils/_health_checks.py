# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operator's health checks of a host: commands, URLs, services. PRIVATE to the collection."""

import shlex
import urllib.parse
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption, Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host

_TEXT_LIMIT = 160


class HealthChecks(NamedTuple):
    # Each the words of one, without a shell
    commands: Sequence[List[str]]
    urls: Sequence[str]
    services: Sequence[str]
    # Seconds that each check may take
    timeout: float


class CheckResult(NamedTuple):
    kind: str
    name: str
    # None if it was not run
    passed: Optional[bool]
    text: str


def parse_health_checks(options: Dict[str, Any]) -> HealthChecks:
    """Parse the option ``health_checks`` of the module, before any of them runs.

    :raises BadOption: one of them is invalid.
    """
    if options["timeout"] <= 0:
        raise BadOption("health_checks.timeout is {timeout}".format(**options), "It must be more than 0")
    for url in options["urls"]:
        _check_url(url)
    return HealthChecks(
        [_split_command(command) for command in options["commands"]],
        options["urls"],
        options["services"],
        options["timeout"],
    )


def run_health_checks(host: Host, wanted: HealthChecks, check_mode: bool) -> List[Dict[str, Any]]:
    """Run all of them, one after the other. In check mode no command is run, since it might change something."""
    results = [_run_command(host, words, wanted.timeout, check_mode) for words in wanted.commands]
    results += [_get_url(url, wanted.timeout) for url in wanted.urls]
    results += [_check_service(host, name, wanted.timeout) for name in wanted.services]
    return [dict(result._asdict(), text=result.text[:_TEXT_LIMIT]) for result in results]


def _split_command(command: str) -> List[str]:
    try:
        words = shlex.split(command)
    except ValueError as exc:
        raise BadOption(
            f"health_checks.commands: {command!r} cannot be split into words: {exc}", "Correct its quotes"
        ) from exc
    if not words:
        raise BadOption("health_checks.commands: one of them is empty", "Remove it")
    return words


def _check_url(url: str) -> None:
    try:
        parts = urllib.parse.urlsplit(url)
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid:
        raise BadOption(
            f"health_checks.urls: {url!r} is not an HTTP URL",
            "Give one that begins with http:// or https:// and a host",
        )
    if "@" in parts.netloc:
        raise BadOption(
            f"health_checks.urls: the URL of {parts.hostname} has a user name or password, which results would show",
            "Check a path that needs none, or use a command",
        )


def _run_command(host: Host, words: List[str], seconds: float, check_mode: bool) -> CheckResult:
    name = " ".join(words)
    if check_mode:
        return CheckResult("command", name, None, "commands are not run in check mode")
    try:
        answer = host.run(words, seconds=seconds)
    except Unmeasured as exc:
        return CheckResult("command", name, False, str(exc))
    message = _last_line(answer.err) or _last_line(answer.out)
    return CheckResult(
        "command", name, answer.rc == 0, "exit code {}{}".format(answer.rc, ": " + message if message else "")
    )


def _get_url(url: str, seconds: float) -> CheckResult:
    # Here: importing them takes longer than all else that most hosts are asked for.
    import http.client
    import urllib.request

    # No more handlers than these: an error status or a redirection is an answer like others.
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    try:
        with opener.open(url, timeout=seconds) as answer:
            status = answer.getcode()
    except (OSError, http.client.HTTPException, ValueError) as exc:
        why = getattr(exc, "reason", exc)
        return CheckResult("url", url, False, f"no answer: {_last_line(str(why)) or type(why).__name__}")
    return CheckResult("url", url, 200 <= status < 400, f"HTTP status {status}")


def _check_service(host: Host, name: str, seconds: float) -> CheckResult:
    try:
        answer = host.run(["systemctl", "is-active", "--", name], seconds=seconds)
    except Unmeasured as exc:
        return CheckResult("service", name, False, str(exc))
    message = _last_line(answer.out) or _last_line(answer.err) or f"systemctl exited with {answer.rc}"
    return CheckResult("service", name, answer.rc == 0, message)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told of a rollout, and when: ``livepatch_webhooks``. PRIVATE to the collection.

A hook is told and not asked: whatever it answers, the rollout goes on as it would have. Who wants a say is a gate
(``livepatch_gates``, type http).
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import json
import time
import typing as t
import uuid

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    REQUEST_OPTIONS,
    RETRY_LATER,
    Fetch,
    RequestFailed,
    fetch,
    format_response,
    is_success,
    redact_url,
)

# The option of each module that tells hooks, documented in the fragment of that name
OPTIONS: dict[str, t.Any] = {"hooks": {"type": "list", "elements": "dict", "default": [], "no_log": True}}
# What is told, in the order of a rollout
POINTS = ("plan", "start", "resume", "approval", "wave_start", "wave_end", "gate", "rollback", "halt", "pause", "done")
# The point of a run's end, by the rollout's status
ENDS = {"done": "done", "failed": "halt", "halted": "halt", "soaking": "pause", "waiting": "pause"}
SCHEMA = 1
_OWN = {"url", "points", "secret", "retries", "limit"}


@dataclasses.dataclass(frozen=True)
class Hook:
    """``secret``: signs the body. ``retries``: further tries after the first one, all of them within ``limit`` seconds,
    each within ``timeout``."""

    url: str
    points: tuple[str, ...]
    secret: str
    retries: int
    limit: float
    timeout: float
    request: t.Mapping[str, t.Any]


def parse(given: t.Sequence[t.Mapping[str, t.Any]]) -> list[Hook]:
    """:raises PlanError: something cannot be understood."""
    return [_parsed(one) for one in given]


def _parsed(given: t.Mapping[str, t.Any]) -> Hook:
    if not str(given.get("url") or "").startswith(("http://", "https://")):
        raise PlanError("livepatch_webhooks: each of them needs a url, http:// or https://")
    url = str(given["url"])
    unknown = sorted(set(given) - _OWN - REQUEST_OPTIONS)
    if unknown:
        known = ", ".join(sorted(_OWN | REQUEST_OPTIONS))
        raise PlanError(f"livepatch_webhooks: {redact_url(url)}: {', '.join(unknown)} is not known; known are {known}")
    points = given.get("points") or POINTS
    points = tuple(points.split(",") if isinstance(points, str) else map(str, points))
    wrong = [point for point in points if point not in POINTS]
    if wrong:
        raise PlanError(
            f"livepatch_webhooks: {redact_url(url)}: there is no point {wrong[0]}; there are {', '.join(POINTS)}"
        )
    try:
        retries, limit = int(given.get("retries", 2)), float(given.get("limit", 20))
        timeout = float(given.get("timeout", 5))
    except (TypeError, ValueError) as exc:
        raise PlanError(f"livepatch_webhooks: {redact_url(url)}: retries, limit and timeout are numbers") from exc
    if retries < 0 or limit <= 0 or timeout <= 0:
        raise PlanError(
            f"livepatch_webhooks: {redact_url(url)}: limit and timeout are above 0, retries is not below it"
        )
    request = {key: given[key] for key in REQUEST_OPTIONS & set(given)}
    return Hook(url, points, str(given.get("secret") or ""), retries, limit, timeout, request)


class Hooks:
    """:param about: what each notice says of the rollout: scope, rollout, plan.
    :param warn: tells people who was not told.
    """

    def __init__(
        self,
        hooks: t.Sequence[Hook],
        about: t.Mapping[str, t.Any],
        warn: t.Callable[[str], t.Any],
        *,
        send: Fetch = fetch,
        now: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._hooks = hooks
        self._about = about
        self._warn = warn
        self._send = send
        self._now = now
        self._sleep = sleep

    def tell(self, point: str, text: str, **more: t.Any) -> None:
        """Tells all who want to hear of this point; it never fails.

        :param more: what else is told: wave, status, hosts (names), counts (by outcome).
        """
        told = {
            "schema": SCHEMA,
            # The same in each try, so that who hears it twice can tell.
            "id": str(uuid.uuid4()),
            "point": point,
            "at": datetime.datetime.fromtimestamp(self._now(), datetime.timezone.utc).isoformat(timespec="seconds"),
            "text": text,
            **self._about,
            **more,
        }
        body = json.dumps(told, sort_keys=True)
        for hook in self._hooks:
            if point in hook.points:
                problem = self._tried(hook, point, body)
                if problem is not None:
                    self._warn(f"livepatch_webhooks: {redact_url(hook.url)} was not told of {point}: {problem}")

    def _tried(self, hook: Hook, point: str, body: str) -> str | None:
        """Why it was not told in the end."""
        until = self._now() + hook.limit
        tries = 0
        while True:
            again, problem = self._once(hook, point, body, until - self._now())
            if not problem:
                return None
            pause = 2.0**tries
            tries += 1
            if not again or tries > hook.retries or self._now() + pause >= until:
                return f"{problem} ({tries} times)" if tries > 1 else problem
            self._sleep(pause)

    def _once(self, hook: Hook, point: str, body: str, left: float) -> tuple[bool, str]:
        """Whether another try may help, and what went wrong, if anything did."""
        headers = {**(hook.request.get("headers") or {}), "X-Livepatch-Point": point}
        if hook.secret:
            headers["X-Livepatch-Signature-256"] = signature(hook.secret, body)
        request = {**hook.request, "headers": headers, "timeout": min(hook.timeout, left)}
        try:
            status, text = self._send("POST", hook.url, body, request)
        except RequestFailed as exc:
            return True, str(exc)
        if is_success(status):
            return False, ""
        return status >= 500 or status in RETRY_LATER, format_response(status, text)


def signature(secret: str, body: str) -> str:
    """HMAC (RFC 2104) with SHA-256 of the body as it is sent, as ``sha256=`` and hex digits."""
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def of(
    action: t.Any, options: t.Mapping[str, t.Any], scope: str, rollout: t.Mapping[str, t.Any] | None = None
) -> Hooks:
    """Those of a task; in check mode nobody is told anything.

    :raises PlanError: something cannot be understood.
    """
    hooks = parse(options["hooks"])
    about = {"scope": scope, "rollout": (rollout or {}).get("id"), "plan": (rollout or {}).get("hash")}
    return Hooks([] if action._task.check_mode else hooks, about, action._display.warning)

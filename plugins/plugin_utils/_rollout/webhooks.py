# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs that are notified of a rollout's events: ``livepatch_webhooks``. PRIVATE to the collection.

A webhook never affects the rollout, whatever it answers. A gate does (``livepatch_gates``, type http).
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import time
import typing as t
import urllib.parse
import uuid

from ansible.errors import AnsibleError

from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._formatting import to_json, to_printable
from ansible_collections.fleet.livepatch.plugins.plugin_utils._http import (
    REQUEST_OPTIONS,
    RETRY_LATER,
    Fetch,
    RequestFailed,
    fetch,
    format_response,
    hide_secrets,
    is_success,
    redact_url,
    validate_url,
)
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import controls, schema
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.run import Run

# In the order of a rollout
EVENTS = ("plan", "start", "resume", "approval", "wave_start", "wave_end", "gate", "rollback", "halt", "pause", "done")
# The event at the end of a run, by the status of the rollout
END_EVENTS = {"done": "done", "failed": "halt", "halted": "halt", "soaking": "pause", "waiting": "pause"}
SCHEMA = 1
# Characters: what is longer in the path of a URL may be a secret
_LONGEST_WORD = 16
_OWN_OPTIONS = {"url", "events", "secret", "retries", "limit"}


@dataclasses.dataclass(frozen=True)
class Webhook:
    url: str
    events: tuple[str, ...]
    # Signs the body
    secret: str
    # Attempts after the first one
    retries: int
    # Seconds for all attempts, and for each
    limit: float
    timeout: float
    request: t.Mapping[str, t.Any]

    def hide(self, text: str) -> str:
        """A text without what is secret of the webhook; the path of its URL is."""
        path = urllib.parse.urlsplit(self.url).path
        text = text.replace(redact_url(self.url), redact_url(self.url, with_path=False))
        names = [name for name in path.split("/") if len(name) >= _LONGEST_WORD]
        return hide_secrets(text, self.url, self.request, self.secret, *names)


def parse_webhooks(given: t.Sequence[t.Mapping[str, t.Any]]) -> list[Webhook]:
    """:raises PlanError: one of them is wrong."""
    return [_parse_webhook(webhook) for webhook in given]


def _parse_webhook(given: t.Mapping[str, t.Any]) -> Webhook:
    url = str(given.get("url") or "")
    try:
        validate_url(url)
    except RequestFailed:
        raise PlanError("livepatch_webhooks: each one needs a url that begins with http:// or https://") from None
    label = f"livepatch_webhooks: {redact_url(url, with_path=False)}"
    unknown = sorted(set(given) - _OWN_OPTIONS - REQUEST_OPTIONS)
    if unknown:
        known = ", ".join(sorted(_OWN_OPTIONS | REQUEST_OPTIONS))
        raise PlanError(f"{label}: unknown option {', '.join(unknown)}; valid are {known}")
    events = given.get("events") or EVENTS
    events = tuple(events.split(",") if isinstance(events, str) else map(str, events))
    wrong = [event for event in events if event not in EVENTS]
    if wrong:
        raise PlanError(f"{label}: unknown event {wrong[0]}; valid are {', '.join(EVENTS)}")
    try:
        retries, limit = int(given.get("retries", 2)), float(given.get("limit", 20))
        timeout = float(given.get("timeout", 5))
    except (TypeError, ValueError):
        raise PlanError(f"{label}: retries, limit and timeout have to be numbers") from None
    if retries < 0 or limit <= 0 or timeout <= 0:
        raise PlanError(f"{label}: limit and timeout have to be above 0, and retries not below 0")
    if not isinstance(given.get("headers") or {}, t.Mapping):
        raise PlanError(f"{label}: headers has to be a mapping")
    request = {key: given[key] for key in REQUEST_OPTIONS & set(given)}
    return Webhook(url, events, str(given.get("secret") or ""), retries, limit, timeout, request)


class Notifier:
    """
    :param about: what each notification says of the rollout: scope, rollout, plan.
    :param warn: takes the warning of a notification that failed.
    """

    def __init__(
        self,
        webhooks: t.Sequence[Webhook],
        about: t.Mapping[str, t.Any],
        warn: t.Callable[[str], t.Any],
        *,
        send: Fetch = fetch,
        now: t.Callable[[], float] = time.time,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._webhooks = webhooks
        self._about = about
        self._warn = warn
        self._send = send
        self._now = now
        self._sleep = sleep

    def notify(self, event: str, text: str, **more: t.Any) -> None:
        """Notifies all webhooks that want this event; it never fails.

        :param more: what else is sent: wave, status, hosts (names), counts (by outcome).
        """
        document = {
            "schema": SCHEMA,
            # The same in each attempt, so that a receiver can drop repetitions.
            "id": str(uuid.uuid4()),
            "event": event,
            "at": datetime.datetime.fromtimestamp(self._now(), datetime.timezone.utc).isoformat(timespec="seconds"),
            "text": text,
            **self._about,
            **more,
        }
        body = to_json(document, sort_keys=True)
        for webhook in self._webhooks:
            if event in webhook.events:
                problem = self._deliver(webhook, event, body)
                if problem is not None:
                    label = redact_url(webhook.url, with_path=False)
                    self._warn(f"livepatch_webhooks: {label} was not notified of {event}: {webhook.hide(problem)}")

    def _deliver(self, webhook: Webhook, event: str, body: str) -> str | None:
        """Why it was not delivered, None if it was."""
        until = self._now() + webhook.limit
        attempts = 0
        while True:
            retry, problem = self._attempt(webhook, event, body, until - self._now())
            if not problem:
                return None
            pause = 2.0**attempts
            attempts += 1
            if not retry or attempts > webhook.retries or self._now() + pause >= until:
                return f"{problem} ({attempts} attempts)" if attempts > 1 else problem
            self._sleep(pause)

    def _attempt(self, webhook: Webhook, event: str, body: str, remaining: float) -> tuple[bool, str]:
        """Whether a retry may succeed, and what failed, if anything did."""
        headers = {**(webhook.request.get("headers") or {}), "X-Livepatch-Event": event}
        if webhook.secret:
            headers["X-Livepatch-Signature-256"] = sign(webhook.secret, body)
        request = {**webhook.request, "headers": headers, "timeout": min(webhook.timeout, remaining)}
        try:
            status, text = self._send("POST", webhook.url, body, request)
        except RequestFailed as exc:
            return True, str(exc)
        if is_success(status):
            return False, ""
        return status >= 500 or status in RETRY_LATER, format_response(status, text)


def sign(secret: str, body: str) -> str:
    """HMAC (RFC 2104) with SHA-256 of the body as it is sent, as ``sha256=`` and hex digits."""
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def create_notifier(
    action: t.Any,
    task_vars: t.Mapping[str, t.Any],
    scope: str,
    run: Run | None = None,
    required: bool = False,
    recorded: t.Sequence[t.Any] | None = None,
) -> Notifier:
    """The notifier of a task; in check mode it sends nothing. With a wrong webhook it sends nothing either, and warns:
    what is wrong with one affects no rollout.

    :param required: raise instead.
    :param recorded: the webhooks that the rollout goes by, None where it is not known.
    :raises PlanError: a webhook is wrong.
    """
    webhooks: list[Webhook] = []
    try:
        given = schema.read_rendered(action._templar, task_vars, "webhooks")["webhooks"]
        if recorded is not None:
            given = controls.restore_secrets(controls.WEBHOOKS, recorded, given)
        webhooks = parse_webhooks(given)
    except (AnsibleError, PlanError) as exc:
        if required:
            raise PlanError(str(exc)) from exc
        action._display.warning(to_printable(f"no webhook is notified: {exc}"))
    about = {"scope": scope, "rollout": run.id if run else None, "plan": run.hash if run else None}
    return Notifier(
        [] if action._task.check_mode else webhooks, about, lambda line: action._display.warning(to_printable(line))
    )

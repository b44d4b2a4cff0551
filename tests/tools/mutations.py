# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Breaks one decision of the plugins at a time, and reports whether the tests of `make test` notice (make mutations).

usage: python -m tests.tools.mutations [WORD]...   (from the root of the checkout; words select by mutations' names)

Each mutation replaces a text that stands once in one file of a copy of the checkout. It is killed if one of the tests
that it names fails then; `make test` runs these tests, too. The last line is `N killed, N survived`, and the exit code
is 1 if any survived.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tools import stage

CHECKOUT = Path(__file__).parents[2]
BELOW = "ansible_collections/fleet/livepatch"
HOST = "tests/unit/plugins/module_utils"
ROLLOUT = "tests/unit/plugins/plugin_utils/_rollout"
PLUGIN_UTILS = "tests/unit/plugins/plugin_utils"
PLAYBOOKS = "tests/playbooks"


@dataclasses.dataclass(frozen=True)
class Mutation:
    """A decision, as what it is broken, and where that has to be noticed."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, source: str) -> str:
        """:raises ValueError: what is to be replaced does not stand there just once."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: {self.file} has {self.old!r} {count} times: bring the mutation up to date")
        return source.replace(self.old, self.new)


STATE = "plugins/module_utils/_state.py"
SELECTION = "plugins/module_utils/_packages/selection.py"
PRECONDITIONS = "plugins/module_utils/_preconditions.py"
JOURNAL = "plugins/module_utils/_journal.py"
STORE = "plugins/module_utils/_store"
LOGIC = "plugins/plugin_utils/_rollout"
ANSWERS = "plugins/plugin_utils/_answers"
REPOSITORY = "plugins/module_utils/_repository"

MUTATIONS = (
    Mutation(
        "state: a kernel without live patching is taken for one with it",
        STATE,
        'if not kernel["livepatch_supported"]:',
        'if kernel["livepatch_supported"] is None:',
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: a crash that the journal names is passed over",
        STATE,
        "if crash is not None:",
        "if crash is None and crash:",
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: an unknown build ID is taken for a known one",
        STATE,
        'if kernel["build_id"] is None:',
        'if kernel["build_id"] == "":',
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: a foreign patch is no conflict",
        STATE,
        "if installed is not None and foreign and moving is None:",
        "if installed is None and foreign and moving is None:",
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: an older level is patched",
        STATE,
        'if newest["evr"] != installed["evr"]:',
        'if newest["evr"] == "":',
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: an image that does not run is no mismatch",
        STATE,
        'if image["matches_running"] is False:',
        'if image["matches_running"] == 0.5:',
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: the first level counts as a fix",
        STATE,
        'if _kmp_names.is_initial(installed["name"], installed["level"]):',
        'if installed["level"] == 0:',
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "state: any active level is up to date",
        STATE,
        'return bool(kmp["installed"]["evr"] == kmp["selected"]["evr"])',
        "return True",
        (f"{HOST}/test_state.py",),
    ),
    Mutation(
        "drift: what a journal says of a rollout is believed without the record",
        f"{LOGIC}/drift.py",
        "if suspect.rollout in rollouts or suspect.plan in plans or",
        "if suspect.rollout or suspect.plan in plans or",
        (f"{ROLLOUT}/test_drift.py",),
    ),
    Mutation(
        "drift: a canary whose gate has failed proves a KMP",
        f"{LOGIC}/drift.py",
        'if (CANARIES if cohort["canaries"] else SINGLES) in kinds:',
        'if (CANARIES if cohort["canaries"] else SINGLES) in rollout["waves"]:',
        (f"{ROLLOUT}/test_drift.py",),
    ),
    Mutation(
        "drift: what a rollout has only looked at counts as put there by it",
        f"{STORE}/rollouts.py",
        'if outcome.get("applied") and outcome.get("kmp"):',
        'if outcome.get("kmp"):',
        (f"{ROLLOUT}/test_drift.py",),
    ),
    Mutation(
        "lock: it keeps the collection's own transactions back",
        "plugins/module_utils/_packages/zypper.py",
        "own = [] if as_others else port.list_own_locks(self._host)",
        "own = [] if as_others or not as_others else port.list_own_locks(self._host)",
        (f"{HOST}/test_change_lifecycle.py",),
    ),
    Mutation(
        "lock: another one's is taken for ours",
        "plugins/module_utils/_packages/kmp_lock.py",
        "if pattern not in manager.list_held()]",
        "if pattern]",
        (f"{HOST}/test_change_lifecycle.py",),
    ),
    Mutation(
        "lock: dnf passes over excludes that are not ours",
        "plugins/module_utils/_packages/dnf.py",
        'return ["--setopt=excludepkgs=", *(["--setopt=excludepkgs=" + ",".join(patterns)] if patterns else [])]',
        'return ["--setopt=excludepkgs="]',
        (f"{HOST}/_packages/test_dnf.py",),
    ),
    Mutation(
        "journal: a change of an earlier boot is taken up",
        JOURNAL,
        'and not runs and entry["boot_id"] == boot_id and entry["phase"] in UNFINISHED',
        'and not runs and entry["phase"] in UNFINISHED',
        (f"{HOST}/test_journal.py",),
    ),
    Mutation(
        "settings: a number may be as large as it likes",
        f"{LOGIC}/validation.py",
        "if number > _LARGEST_NUMBER:",
        "if number > 10**400:",
        (f"{ROLLOUT}/test_setting_values.py",),
    ),
    Mutation(
        "settings: what is no number is one",
        f"{LOGIC}/validation.py",
        "if number is None or _is_nan(number) or (",
        "if number is None or (",
        (f"{ROLLOUT}/test_setting_values.py",),
    ),
    Mutation(
        "plan: another one than was asked for is followed",
        f"{LOGIC}/start.py",
        'if wanted in ("", built.hash):',
        "if wanted or built:",
        (f"{ROLLOUT}/test_start.py",),
    ),
    Mutation(
        "plan: an open rollout is resumed as another plan",
        f"{LOGIC}/start.py",
        'if wanted not in ("", current["plan_hash"]):',
        'if wanted == "another":',
        (f"{ROLLOUT}/test_start.py",),
    ),
    Mutation(
        "controls: what is looser is taken without a reason",
        f"{LOGIC}/controls.py",
        "    if looser and not reason:",
        "    if looser and reason:",
        (f"{ROLLOUT}/test_controls.py",),
    ),
    Mutation(
        "controls: what is left out falls back to the default",
        f"{LOGIC}/controls.py",
        "value = recorded.get(name, copy.deepcopy(SETTINGS[name].default))",
        "value = copy.deepcopy(SETTINGS[name].default)",
        (f"{ROLLOUT}/test_controls.py",),
    ),
    Mutation(
        "controls: secrets are recorded",
        f"{LOGIC}/controls.py",
        "    if name not in (GATES, WEBHOOKS):",
        "    if name:",
        (f"{ROLLOUT}/test_controls.py",),
    ),
    Mutation(
        "controls: a larger number is always tighter",
        f"{LOGIC}/strictness.py",
        "return TIGHTER if strict(recorded, given) == given else LOOSER",
        "return TIGHTER if given > recorded else LOOSER",
        (f"{ROLLOUT}/test_controls.py",),
    ),
    Mutation(
        "controls: steps follow the plan's own settings",
        f"{LOGIC}/settings.py",
        "    if not values:",
        "    if values:",
        (f"{ROLLOUT}/test_controls.py",),
    ),
    Mutation(
        "controls: two runs change them at once",
        f"{STORE}/rollouts.py",
        'if (0 if row is None else row["version"]) != version:',
        "if row is None and version:",
        (f"{HOST}/_store/test_rollouts.py",),
    ),
    Mutation(
        "outcome: a host that was added is an error while the rollout waits",
        "plugins/plugin_utils/_report/text.py",
        "and not (waits and row.reason == NOT_IN_PLAN)",
        "and row.reason",
        ("tests/unit/plugins/plugin_utils/_report",),
    ),
    Mutation(
        "selection: the oldest KMP is selected",
        SELECTION,
        "key=lambda entry: _evr.sort_key(entry.candidate.evr), reverse=True):",
        "key=lambda entry: _evr.sort_key(entry.candidate.evr), reverse=False):",
        (f"{HOST}/_packages/test_selection.py",),
    ),
    Mutation(
        "selection: a KMP that is tagged for another build fits",
        SELECTION,
        'if known.tag == "other":',
        'if known.tag == "none":',
        (f"{HOST}/_packages/test_kmp.py",),
    ),
    Mutation(
        "selection: an unsigned package is selected",
        SELECTION,
        'if contents.signature == "unsigned" and not',
        'if contents.signature == "none" and not',
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "selection: a level goes back without leave",
        SELECTION,
        "and _evr.compare(candidate.evr, installed) < 0",
        "and _evr.compare(candidate.evr, installed) > 9",
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "selection: whoever has signed a KMP, it is selected",
        SELECTION,
        "if signer.fingerprint in policy.builders:",
        "if signer.fingerprint:",
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "signature: one that rpm skips names the signer",
        "plugins/module_utils/_packages/rpm.py",
        "if not is_whole:",
        "if not verdict:",
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "signature: one of several that a package has names the signer",
        "plugins/module_utils/_packages/rpm.py",
        "return signers.pop() if len(signers) == 1 else None",
        "return signers.pop() if signers else None",
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "installation: whatever is installed, it is the file that was examined",
        "plugins/module_utils/_packages/kmp.py",
        "if not any(file.digests) or any(content.digests != file.digests for content in contents):",
        "if not contents:",
        (HOST,),
    ),
    Mutation(
        "freshness: a repository that goes back is not noticed",
        "plugins/module_utils/_packages/freshness.py",
        "return int(revisions[0]) < int(revisions[1])",
        "return False",
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "selection: a KMP of another vendor is selected",
        SELECTION,
        "if vendor != kernel.origin.vendor and vendor not in policy.vendors and not is_named:",
        'if vendor == "" and not is_named:',
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "selection: a KMP that only its name ties to the kernel is selected",
        SELECTION,
        "if untied is not None and not policy.allow_name_match:",
        "if untied is not None and policy.allow_name_match:",
        (f"{HOST}/_packages/test_selection.py",),
    ),
    Mutation(
        "selection: a module that was built for another release is selected",
        SELECTION,
        "if contents.module.target_release != kernel.release:",
        'if contents.module.target_release == "":',
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "selection: a retracted advisory is passed over",
        SELECTION,
        "if known.retracted is not None:",
        'if known.retracted == "":',
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "policy: an excluded KMP is selected",
        SELECTION,
        "if policies.matches_any(policy.exclude, name, own):",
        "if policies.matches_any((), name, own):",
        (f"{HOST}/_packages",),
    ),
    Mutation(
        "fence: an older run is let in",
        PRECONDITIONS,
        "if newest is not None and request.fence < newest:",
        "if newest is not None and request.fence > newest:",
        (f"{HOST}/test_change_lifecycle.py",),
    ),
    Mutation(
        "expect: another build than planned is patched",
        PRECONDITIONS,
        'if expect.get("build_id", kernel["build_id"]) != kernel["build_id"]:',
        'if expect.get("build_id", "") is None:',
        (f"{HOST}/test_ensure.py",),
    ),
    Mutation(
        "ensure: the vendor's support is lost without leave",
        "plugins/module_utils/_ensure.py",
        "if context.loses_support and not request.allow_unsupported and",
        "if context.loses_support and request.allow_unsupported and",
        (f"{HOST}/test_change_lifecycle.py",),
    ),
    Mutation(
        "expect: a failed change is tried again in the rollout's name",
        PRECONDITIONS,
        'if entry["phase"] == _journal.FAILED:',
        'if entry["phase"] == "":',
        (f"{HOST}/test_change_lifecycle.py",),
    ),
    Mutation(
        "journal: a crash during the soak is none",
        JOURNAL,
        '    if entry["phase"] not in (*UNFINISHED, SOAKING):\n        return None\n',
        '    if entry["phase"] not in UNFINISHED:\n        return None\n',
        (f"{HOST}/test_change_lifecycle.py",),
    ),
    Mutation(
        "journal: the same boot is a crash",
        JOURNAL,
        'if entry is None or boot_id is None or entry["boot_id"] == boot_id:',
        "if entry is None or boot_id is None:",
        (f"{HOST}/test_ensure.py",),
    ),
    Mutation(
        "lease: a living holder is taken over from",
        f"{STORE}/lease.py",
        'if takeover == lease["fence"] or until < now:',
        'if takeover == lease["fence"] or until > now:',
        (f"{HOST}/_store",),
    ),
    Mutation(
        "lease: an old number still writes",
        f"{STORE}/lease.py",
        'if lease is None or lease["owner"] is None or lease["fence"] != fence:',
        'if lease is None or lease["owner"] is None:',
        (f"{HOST}/_store",),
    ),
    Mutation(
        "lease: its number goes back with the clock",
        f"{STORE}/lease.py",
        "return max(highest + 1, int(transaction.now))",
        "return int(transaction.now)",
        (f"{HOST}/_store",),
    ),
    Mutation(
        "halt: hosts begin all the same",
        f"{STORE}/rollouts.py",
        "if halt is not None:",
        "if halt is None and halt:",
        (f"{HOST}/_store",),
    ),
    Mutation(
        "halt: that of all scopes holds nowhere",
        f"{STORE}/rows.py",
        "(scope, ALL_SCOPES)",
        '(scope, "")',
        (f"{HOST}/_store",),
    ),
    Mutation(
        "quarantine: a cleared entry bars on",
        f"{STORE}/rows.py",
        "FROM quarantine WHERE cleared IS NULL ORDER BY id",
        "FROM quarantine ORDER BY id",
        (f"{HOST}/_store",),
    ),
    Mutation(
        "budgets: one host more than budgeted may fail",
        f"{LOGIC}/budgets.py",
        "if budget is not None and bad > budget:",
        "if budget is not None and bad > budget + 1:",
        (f"{ROLLOUT}/test_budgets.py",),
    ),
    Mutation(
        "budgets: canaries have one",
        f"{LOGIC}/budgets.py",
        "return 0 if planned.is_strict else",
        "return 1 if planned.is_strict else",
        (f"{ROLLOUT}/test_budgets.py",),
    ),
    Mutation(
        "budgets: hosts of which nothing is known are healthy",
        f"{LOGIC}/budgets.py",
        "count_bad(totals.wave) + unknown, budget)",
        "count_bad(totals.wave), budget)",
        (f"{ROLLOUT}/test_budgets.py",),
    ),
    Mutation(
        "gates: one failure too many is borne",
        f"{LOGIC}/gates/verdict.py",
        "if verdicts.count(FAIL) > limits.failure_limit:",
        "if verdicts.count(FAIL) > limits.failure_limit + 1:",
        (f"{ROLLOUT}/gates",),
    ),
    Mutation(
        "gates: no answer passes",
        f"{LOGIC}/gates/verdict.py",
        "verdicts = [gate.verdict for gate in gates if gate.critical]",
        "verdicts = [gate.verdict for gate in gates if gate.critical and gate.verdict != ERROR]",
        (f"{ROLLOUT}/gates",),
    ),
    Mutation(
        "approvals: an expired one holds",
        f"{LOGIC}/approvals.py",
        "return self.expires is not None and now >= self.expires",
        "return self.expires is not None and now < 0",
        (f"{ROLLOUT}/test_approvals.py",),
    ),
    Mutation(
        "approvals: a rejection after an approval is passed over",
        f"{LOGIC}/approvals.py",
        "last = current[-1]",
        "last = current[0]",
        (f"{ROLLOUT}/test_approvals.py",),
    ),
    Mutation(
        "windows: one that is too short opens",
        f"{LOGIC}/change_windows.py",
        "if begin + needed <= span.end:",
        "if begin <= span.end:",
        (f"{ROLLOUT}/test_change_windows.py",),
    ),
    Mutation(
        "windows: a wave runs into a blackout",
        f"{LOGIC}/change_windows.py",
        "blackout.start >= begin + needed:",
        "blackout.start >= begin:",
        (f"{ROLLOUT}/test_change_windows.py",),
    ),
    Mutation(
        "preview: the hosts of an open rollout that are done are to be patched",
        f"{LOGIC}/preview.py",
        "return states.get(name) or {BEGUN: IN_FLIGHT}.get(outcome, str(outcome))",
        "return TO_PATCH",
        (f"{PLUGIN_UTILS}/_report/test_preview.py",),
    ),
    Mutation(
        "preview: an approval that is missing is given",
        f"{LOGIC}/preview.py",
        'if starting and approvals.is_needed(options["approval"], number):',
        "if False:",
        (f"{PLUGIN_UTILS}/_report/test_preview.py",),
    ),
    Mutation(
        "preview: no CVE is closed",
        f"{LOGIC}/preview.py",
        "cves = {cve for each in known for cve in each or ()}",
        "cves: set[str] = set()",
        (f"{PLUGIN_UTILS}/_report/test_preview.py",),
    ),
    Mutation(
        "plans: a mark beyond the count of canaries is dropped",
        f"{LOGIC}/planning.py",
        "max(wanted, sum(host.canary for host in ordered))",
        "wanted",
        (f"{ROLLOUT}/test_plan.py",),
    ),
    Mutation(
        "plans: the cap of a wave does not hold for canaries",
        f"{LOGIC}/planning.py",
        "        *_split_into_waves(CANARIES, canaries, [], caps),\n",
        "        *([_Wave(CANARIES, tuple(host.name for host in canaries))] if canaries else []),\n",
        (f"{ROLLOUT}/test_plan.py",),
    ),
    Mutation(
        "settings: a share may be more than all hosts",
        f"{LOGIC}/host_counts.py",
        "number > 100",
        "number > 1000",
        (f"{ROLLOUT}/test_plan.py",),
    ),
    Mutation(
        "settings: a cap of failure domains holds without any",
        f"{LOGIC}/validation.py",
        'common.get("livepatch_domain_keys", []) == []',
        "False",
        (f"{ROLLOUT}/test_validation.py",),
    ),
    Mutation(
        "plans: another hash without any change",
        f"{LOGIC}/plan_diff.py",
        "if not changes and before.hash != after.hash:",
        "if False:",
        (f"{ROLLOUT}/test_plan_diff.py",),
    ),
    Mutation(
        "plan: the quarantine bars nothing",
        f"{LOGIC}/planning.py",
        "reason = _explain_left_out(host) or quarantine.explain(host.name, host.kmp, _compute_target_id(host))",
        "reason = _explain_left_out(host)",
        (f"{ROLLOUT}/test_plan.py",),
    ),
    Mutation(
        "batches: a host whose part has ended begins again",
        f"{LOGIC}/batches.py",
        "if outcome in _FINAL or host is None:",
        "if host is None:",
        (f"{ROLLOUT}/test_batches.py",),
    ),
    Mutation(
        "batches: another boot than planned is patched",
        f"{LOGIC}/batches.py",
        '(host.boot_id, planned.boot_id, "boot"),',
        '(host.boot_id, host.boot_id, "boot"),',
        (f"{ROLLOUT}/test_batches.py",),
    ),
    Mutation(
        "door: a key that no module returns passes",
        f"{ANSWERS}/fields.py",
        "if len(parsed) != len(value) and not drop_others:",
        "if len(parsed) != len(value) and drop_others:",
        (f"{PLUGIN_UTILS}/_answers/test_answer.py",),
    ),
    Mutation(
        "door: a number that is none passes",
        f"{ANSWERS}/answer.py",
        "parse_constant=_refuse_constant)",
        "parse_constant=float)",
        (f"{PLUGIN_UTILS}/_answers/test_answer.py",),
    ),
    Mutation(
        "door: an answer of any length is parsed",
        f"{ANSWERS}/answer.py",
        "if len(output) > MAX_LENGTH:",
        "if not output and len(output) > MAX_LENGTH:",
        (f"{PLUGIN_UTILS}/_answers/test_answer.py",),
    ),
    Mutation(
        "door: ansible-core gets what a shell has printed as it is",
        "plugins/plugin_utils/_host_action.py",
        'texts = {name: answer.shorten_output(res[name]) for name in ("stdout", "stderr")}',
        'texts = {name: res[name] for name in ("stdout", "stderr")}',
        (f"{PLUGIN_UTILS}/test_host_action.py",),
    ),
    Mutation(
        "door: what one host has found becomes a fact of another",
        "plugins/plugin_utils/_host_action.py",
        "if not key or self._task.delegate_to or",
        "if not key or",
        (f"{PLUGIN_UTILS}/test_host_action.py",),
    ),
    Mutation(
        "repository: a key that is not pinned is imported",
        f"{REPOSITORY}/key_file.py",
        "(set(primary) - set(pinned) or set(pinned) - known)",
        "set(pinned) - known",
        (f"{HOST}/_repository/test_key_file.py",),
    ),
    Mutation(
        "repository: a subkey that is not pinned is imported",
        f"{REPOSITORY}/key_file.py",
        "for subkey in key.subkeys if subkey.fingerprint in pinned)",
        "for subkey in key.subkeys)",
        (f"{HOST}/_repository/test_key_file.py",),
    ),
    Mutation(
        "repository: a key that was imported besides the pinned ones stays",
        f"{REPOSITORY}/signed_repository.py",
        "if not rpm.remove_key(host, signer.fingerprint)",
        "if not signer.fingerprint",
        (f"{HOST}/_repository/test_signed_repository.py",),
    ),
    Mutation(
        "repository: a password in an address is shown",
        "plugins/modules/livepatch_repository.py",
        "    module.no_log_values.update(repository_file.list_secrets(url))\n",
        "",
        ("tests/unit/plugins/modules/test_target_modules.py",),
    ),
    Mutation(
        "outcome: a host that does not answer has failed, and is not lost",
        f"{LOGIC}/outcome.py",
        '_find_lost_cause(install) if install.unreachable else "not_started",',
        '"not_started",',
        (f"{ROLLOUT}/test_outcome.py",),
    ),
    Mutation(
        "outcome: an unhealthy host is done",
        f"{LOGIC}/outcome.py",
        "problems = _format_health_problems(livepatch) if given else None",
        "problems = None",
        (f"{ROLLOUT}/test_outcome.py",),
    ),
    Mutation(
        "outcome: another boot is no crash",
        f"{LOGIC}/outcome.py",
        "if kernel.boot_id != host.boot_id:",
        'if kernel.boot_id == "":',
        (f"{ROLLOUT}/test_outcome.py",),
    ),
    Mutation(
        "outcome: a host that is not up to date is done",
        f"{LOGIC}/outcome.py",
        "if not livepatch.compliance.up_to_date:",
        'if livepatch.compliance.up_to_date == "":',
        (f"{ROLLOUT}/test_outcome.py",),
    ),
    Mutation(
        "admission: a quarantine since the plan is passed over",
        f"{LOGIC}/admission.py",
        "why = quarantine.explain(name, planned.kmp, step.plan.cohorts[planned.cohort].target)",
        "why = None",
        (f"{ROLLOUT}/test_admission.py",),
    ),
    Mutation(
        "quarantine: that of a KMP in one cohort bars nothing",
        f"{LOGIC}/settings.py",
        "reasons = (self._kmps.get((kmp, target)), ",
        "reasons = (",
        (f"{ROLLOUT}/test_quarantine.py",),
    ),
    Mutation(
        "quarantine: a KMP that no plan has is barred, and nothing with it",
        f"{LOGIC}/references.py",
        """    raise PlanError(f"{setting} is {text!r}, and nothing here has that KMP. """,
        """    return wanted
    raise PlanError(f"{setting} is {text!r}, and nothing here has that KMP. """,
        (f"{ROLLOUT}/test_quarantine.py",),
    ),
    Mutation(
        "references: of several plans the last one is approved",
        f"{LOGIC}/references.py",
        "    if len(matching) == 1:\n        return str(matching[0][",
        "    if matching:\n        return str(matching[0][",
        (f"{ROLLOUT}/test_references.py",),
    ),
    Mutation(
        "admission: hosts start though no canary was patched",
        f"{LOGIC}/admission.py",
        "if why is None and planned.cohort in untried:",
        "if why is None and planned.cohort in ():",
        (f"{ROLLOUT}/test_admission.py",),
    ),
    Mutation(
        "batches: a host that has changed is left out of all waves at once",
        f"{LOGIC}/batches.py",
        "cut[0] = dataclasses.replace(cut[0], changed=changed)",
        "cut = [dataclasses.replace(batch, changed=changed) for batch in cut]",
        (f"{ROLLOUT}/test_batches.py",),
    ),
    Mutation(
        "batches: more are in flight than may be",
        f"{LOGIC}/batches.py",
        "rooms = [min(few, limit - len(after), len(after)) if overlap else 0 for after in groups[1:]]",
        "rooms = [limit if overlap else 0 for after in groups[1:]]",
        (f"{ROLLOUT}/test_batches.py",),
    ),
    Mutation(
        "batches: canaries start before those before them have ended",
        f"{LOGIC}/batches.py",
        "overlap = not wave.is_strict",
        "overlap = True",
        (f"{ROLLOUT}/test_batches.py",),
    ),
    Mutation(
        "admission: who is barred is told to start",
        f"{LOGIC}/admission.py",
        "begun=batch.in_flight) for name in starts})",
        "begun=batch.in_flight) for name in batch.starts})",
        (f"{ROLLOUT}/test_admission.py",),
    ),
    Mutation(
        "admission: a halt in between leaves hosts told to start",
        f"{LOGIC}/admission.py",
        '        changes.keep({})\n        text = halt.describe_halt(begun["halt"])',
        '        text = halt.describe_halt(begun["halt"])',
        (f"{ROLLOUT}/test_admission.py",),
    ),
    Mutation(
        "assess: slow hosts are not waited for at the end of their wave",
        f"{LOGIC}/assess.py",
        "waits = not goes_on or is_lost or len(loaded.planned) > gate.step.batch.room",
        "waits = not goes_on or is_lost",
        (f"{ROLLOUT}/test_overlap.py",),
    ),
    Mutation(
        "assess: slow hosts are left behind where the rollout stops",
        f"{LOGIC}/assess.py",
        'goes_on = assessment["passed"] and assessment["held"] is None and not assessment["refused"]',
        "goes_on = True",
        (f"{ROLLOUT}/test_overlap.py",),
    ),
    Mutation(
        "assess: a host that may have gone down holds up no other",
        f"{LOGIC}/assess.py",
        "is_lost = any(answer is not None and answer.lost for answer in last.values())",
        "is_lost = not last",
        (f"{ROLLOUT}/test_overlap.py",),
    ),
    Mutation(
        "assess: a batch that was not admitted ends its wave",
        f"{LOGIC}/assess.py",
        "last = batch.last and held_by is None and refused is None",
        "last = batch.last and held_by is None",
        (f"{ROLLOUT}/test_overlap.py",),
    ),
    Mutation(
        "patch: a host that was lost and works is taken for one that has not begun",
        "plugins/action/rollout_patch.py",
        'works = journal is not None and journal["running"]',
        "works = False",
        ("tests/unit/plugins/action/test_rollout_patch.py",),
    ),
    Mutation(
        "patch: a host that was lost is no such host",
        "plugins/action/rollout_patch.py",
        "was_lost = running.lost or self._was_lost",
        "was_lost = running.lost",
        ("tests/unit/plugins/action/test_rollout_patch.py",),
    ),
    Mutation(
        "patch: a host that works is taken for one that has ended",
        "plugins/action/rollout_patch.py",
        'return not journal["running"]',
        "return True",
        ("tests/unit/plugins/action/test_rollout_patch.py",),
    ),
    Mutation(
        "settings: a host is changed with another one's",
        f"{LOGIC}/host_settings.py",
        'return {name: values[index] for name, index in packed["hosts"].items()}',
        'return {name: values[0] for name, index in packed["hosts"].items()}',
        (f"{ROLLOUT}/test_host_settings.py",),
    ),
    Mutation(
        "runs: what another run has taken over is followed",
        f"{STORE}/runs.py",
        "_remove_earlier(transaction, scope, fence)",
        "pass",
        ("tests/unit/plugins/module_utils/_store/test_plans.py",),
    ),
    Mutation(
        "store: a dry run migrates the file",
        f"{STORE}/sqlite.py",
        "if self.dry_run or (",
        "if not connection or (",
        ("tests/unit/plugins/module_utils/_store/test_plans.py",),
    ),
    Mutation(
        "halt: one that was stored since an answer is not seen",
        f"{LOGIC}/halt.py",
        "state = [status.st_ino, status.st_size, status.st_mtime_ns]",
        "state = [status.st_ino]",
        (f"{ROLLOUT}/test_halt.py",),
    ),
    Mutation(
        "assess: healthy canaries of a failed wave keep their patch",
        f"{LOGIC}/batch_end.py",
        'whole_wave = end["status"] == "failed" and',
        'whole_wave = end["status"] == "" and',
        (f"{ROLLOUT}/test_assess.py",),
    ),
    Mutation(
        "halt: a store that cannot be reached does not halt",
        f"{LOGIC}/halt.py",
        """return None if goes_back else f"cannot check whether rollouts are halted: {answer['error']}\"""",
        "return None",
        (f"{ROLLOUT}/test_halt.py",),
    ),
    Mutation(
        "lease: a run that lives counts as dead",
        f"{LOGIC}/lease.py",
        'if owner.get("started") != here.started:',
        'if owner.get("started") == here.started:',
        (f"{ROLLOUT}/test_lease.py",),
    ),
    Mutation(
        "lease: a run that is gone on another machine is taken over from without a wait",
        f"{LOGIC}/lease.py",
        "if terms.takeover_reason or alive is False:",
        "if not alive:",
        (f"{ROLLOUT}/test_lease.py",),
    ),
    Mutation(
        "lease: a run that renews its lease is taken over from",
        f"{LOGIC}/lease.py",
        'if alive or (renewed is not None and holder["renewed"] != renewed):',
        "if alive:",
        (f"{ROLLOUT}/test_lease.py",),
    ),
    Mutation(
        "lease: a run that is stopped renews it",
        f"{LOGIC}/heartbeat.py",
        "if state != processes.STOPPED and time.monotonic() >= due:",
        "if time.monotonic() >= due:",
        (f"{ROLLOUT}/test_heartbeat.py",),
    ),
    Mutation(
        "lease: a run that has lost it starts hosts",
        f"{LOGIC}/halt.py",
        'if answer["lost"]:',
        'if answer["lost"] is None:',
        (f"{ROLLOUT}/test_halt.py",),
    ),
    Mutation(
        "blame: one stall because of a program bars the KMP",
        f"{LOGIC}/causes.py",
        "and stalls[_get_target(outcome, cohorts)] > 1:",
        "and stalls[_get_target(outcome, cohorts)] > 0:",
        (f"{ROLLOUT}/test_causes.py",),
    ),
    Mutation(
        "blame: a host that has given the kernel nothing blames the KMP",
        f"{LOGIC}/outcome.py",
        'return "host_failed"\n',
        'return "refused"\n',
        (f"{ROLLOUT}/test_causes.py",),
    ),
    Mutation(
        "blame: canaries that failed for a reason of their own are not excused",
        f"{LOGIC}/budgets.py",
        "kind = _EXCUSED if row.bad and row.host not in blamed else row.outcome",
        "kind = row.outcome",
        (f"{ROLLOUT}/test_causes.py",),
    ),
    Mutation(
        "blame: a canary that cannot be patched is not replaced",
        f"{LOGIC}/canary_reserves.py",
        "selected += left[: max(0, missing)] if members else []",
        "selected += []",
        (f"{ROLLOUT}/test_causes.py",),
    ),
    Mutation(
        "blame: a run that finds hosts barred fails each time",
        "plugins/plugin_utils/_report/text.py",
        "        and not row.barred\n",
        "",
        (f"{ROLLOUT}/test_causes.py",),
    ),
    Mutation(
        "journal: what a package's own script has loaded was not given to the kernel",
        JOURNAL,
        'return is_loaded if entry["boot_id"] == boot_id else None',
        "return False",
        (f"{HOST}/test_journal.py",),
    ),
    Mutation(
        "store: a host in the place of a canary is counted with the canaries' wave",
        f"{STORE}/rollouts.py",
        'if row.outcome != BEGUN and old["wave"] is not None:',
        "if wave is None:",
        (f"{HOST}/_store/test_rollouts.py",),
    ),
)


def copy_checkout(folder: Path) -> Path:
    """A copy of the checkout in which tests can run, with the collection where Ansible wants it."""
    for name in stage.project_files():
        for target in (folder / name, folder / ".cache/stage" / BELOW / name):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, target)
    return folder


def run_tests(folder: Path, tests: str) -> str | None:
    """The first test that fails, None where all pass.

    :raises RuntimeError: the tests did not run.
    """
    tree = str(folder / ".cache/stage")
    environment = {
        **os.environ,
        "PYTHONPATH": tree,
        "ANSIBLE_COLLECTIONS_PATH": tree,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / ".cache/ansible-home"),
        # The same second and the same size: bytecode of the text before would be taken for current
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment.pop("PYTHONPYCACHEPREFIX", None)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", *tests.split()],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode == 0:
        return None
    failed = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if run.returncode != 1 or not failed:
        raise RuntimeError(f"{tests}: pytest ended with {run.returncode}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return failed[0].split(" - ")[0]


def check(mutation: Mutation, folder: Path) -> str | None:
    """The test that kills a mutation, None where it survives."""
    file = folder / ".cache/stage" / BELOW / mutation.file
    source = file.read_text(encoding="utf-8")
    file.write_text(mutation.apply(source), encoding="utf-8")
    try:
        return next((killer for tests in mutation.tests if (killer := run_tests(folder, tests))), None)
    finally:
        file.write_text(source, encoding="utf-8")


def main() -> int:
    words = sys.argv[1:]
    chosen = [mutation for mutation in MUTATIONS if not words or any(word in mutation.name for word in words)]
    survived = 0
    with tempfile.TemporaryDirectory() as name:
        folder = copy_checkout(Path(name))
        for tests in sorted({tests for mutation in chosen for tests in mutation.tests}):
            killer = run_tests(folder, tests)
            if killer:
                raise RuntimeError(f"nothing is broken yet, and a test fails: {killer}")
        for mutation in chosen:
            began = time.monotonic()
            killer = check(mutation, folder)
            survived += killer is None
            verdict = f"killed by {killer}" if killer else "SURVIVED"
            print(f"{mutation.name}: {verdict} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(chosen) - survived} killed, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())

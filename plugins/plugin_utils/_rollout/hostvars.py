# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts answered, as Ansible's variables hold it. PRIVATE to the collection.

Nothing else reads the variables that tasks on hosts register; the modules that do so by these functions name them in
their documentation.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.errors import AnsibleError
from ansible.utils.vars import load_extra_vars

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import Answer, read_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import changes, hosts, outcome, schema
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout.plan import PlannedHost

# livepatch_info before anything is done
GATHERED = "__livepatch_host"
# rollout_patch: what has started on a host, and what became of it
INSTALL = "__livepatch_install"
VERIFY = "__livepatch_verify"
# The latter of hosts that were slow, in a loop over the hosts that it is delegated to
SLOW = "__livepatch_slow"
# rollout_patch of hosts in the place of canaries, in such loops: what has started, and what became of it
RESERVE_INSTALL = "__livepatch_reserve_install"
RESERVE = "__livepatch_reserve"
# livepatch_info in a soak, in a loop over the hosts that it is delegated to
SOAK_PROBE = "__livepatch_soak_probe"
# rollout_patch for the next boot of canaries, in such a loop
CONFIRMATION = "__livepatch_confirmation"
# rollout_patch, back to the previous level
ROLLBACK = "__livepatch_rollback"
ROLLED_BACK = "__livepatch_rolled_back"
# livepatch with download_only
DOWNLOAD = "__livepatch_download"
# rollout_assess, the last one of the host's batch
ASSESSMENT = "__livepatch_assessment"
# rollout_admit
ADMISSION = "__livepatch_admission"
# The variable of such loops, which has what the member is asked with
MEMBER = "__livepatch_member"

# Hosts' variables, by host
Variables = t.Mapping[str, t.Mapping[str, t.Any]]


def get_play_hosts(task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The play's hosts, unreachable and failed ones too."""
    return list(task_vars["ansible_play_hosts_all"])


class VariablesReader:
    """Reads hosts' variables as the tasks of these hosts see them: extra variables and those of the play, among them
    what import_playbook was given, come before the inventory's.

    :param action: the action plugin that reads.
    """

    def __init__(self, action: t.Any, task_vars: t.Mapping[str, t.Any]) -> None:
        self._hostvars = task_vars["hostvars"]
        self.variable_manager = self._hostvars._variable_manager
        self._templar = action._templar
        self.extra: t.Mapping[str, t.Any] = load_extra_vars(action._loader)
        self.of_play: t.Mapping[str, t.Any] = {**action._task._parent._play.get_vars(), **self.extra}

    def __call__(self, names: t.Iterable[str]) -> Variables:
        """Ansible works out all of a host's variables each time that it is asked: ask once."""
        return {name: _HostVariables(self, name, self.read_raw(name)) for name in names}

    def read_raw(self, name: str) -> dict[str, t.Any]:
        """A host's variables, templates among them."""
        return {**self._hostvars.raw_get(name), **self.of_play}

    def render(self, raw: t.Mapping[str, t.Any], value: t.Any) -> t.Any:
        """
        :param raw: the variables of the host whose value it is.
        :raises PlanError: it has a template that cannot be rendered.
        """
        variables = {**raw, "hostvars": self._hostvars}
        try:
            return self._templar.copy_with_new_env(available_variables=variables).template(value)
        except AnsibleError as exc:
            raise PlanError(str(exc)) from exc


class _HostVariables(t.Mapping[str, t.Any]):
    """The variables of one host, rendered when they are read."""

    def __init__(self, reader: VariablesReader, name: str, raw: t.Mapping[str, t.Any]) -> None:
        self._reader = reader
        self._name = name
        self._raw = raw

    def __getitem__(self, key: str) -> t.Any:
        value = self._raw[key]
        # What tasks have registered holds no templates, whatever it looks like.
        if key.startswith(schema.INTERNAL_PREFIX):
            return value
        try:
            return self._reader.render(self._raw, value)
        except PlanError as exc:
            if key in schema.SETTINGS:
                raise PlanError(f"{key} of {self._name}: its template cannot be rendered: {exc}") from exc
            return value

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


def require_gathered(variables_by_host: Variables) -> None:
    """:raises PlanError: none of the hosts was asked, or the answers were registered by another name."""
    if variables_by_host and not any(GATHERED in variables for variables in variables_by_host.values()):
        raise PlanError(
            f"no host of the play has the variable {GATHERED}: fleet.livepatch.livepatch_info with on_unreachable: "
            f"report comes first, with register: {GATHERED}"
        )


def parse_fleet(
    variables_by_host: Variables,
    selection: hosts.HostSelection = hosts.HostSelection(),  # noqa: B008
) -> list[hosts.Host]:
    """These hosts as they were when they were asked.

    :raises PlanError: a setting of one of them cannot be understood.
    """
    return [
        hosts.parse_host(name, variables, get_answer(variables, GATHERED), selection)
        for name, variables in variables_by_host.items()
    ]


def get_answer(variables: t.Mapping[str, t.Any], name: str) -> Answer | None:
    """What a host has answered to a task, None where the task was skipped or did not run."""
    registered = variables.get(name)
    return None if not registered or registered.get("skipped") else read_result(registered)


def get_task_answers(variables: t.Mapping[str, t.Any]) -> outcome.TaskAnswers:
    return outcome.TaskAnswers(get_answer(variables, INSTALL), get_answer(variables, VERIFY))


def get_reserve_answers(variables_by_host: Variables) -> dict[str, outcome.TaskAnswers]:
    """What the hosts have answered that were patched in the place of canaries; by member."""
    started = get_member_answers(variables_by_host, RESERVE_INSTALL)
    ended = get_member_answers(variables_by_host, RESERVE)
    return {name: outcome.TaskAnswers(answer, ended.get(name)) for name, answer in started.items()}


def get_latest_answers(variables_by_host: Variables) -> dict[str, Answer | None]:
    """What each host has answered last, which may be why it could not be asked; by host."""
    slow = get_member_answers(variables_by_host, SLOW)
    reserves = get_member_answers(variables_by_host, RESERVE)
    latest = {}
    for name, variables in variables_by_host.items():
        answers = [
            get_answer(variables, ROLLED_BACK),
            slow.get(name),
            reserves.get(name),
            get_answer(variables, VERIFY),
        ]
        each = [answer for answer in (*answers, get_answer(variables, GATHERED)) if answer is not None]
        latest[name] = next((answer for answer in each if answer.facts is not None), each[0] if each else None)
    return latest


def find_running(name: str, variables: t.Mapping[str, t.Any], change: changes.Change) -> changes.Running | None:
    """What was started on a host for a change, None where nothing was."""
    registered = ROLLBACK if change.goes_back else INSTALL
    return changes.find_running(name, change, get_answer(variables, registered))


def get_member_answers(variables_by_host: Variables, name: str) -> dict[str, Answer]:
    """The answers to a task that each of these hosts ran in a loop, delegated to its share of the wave; by member. Of a
    member that was asked more than once it is what it came to.
    """
    answers: dict[str, Answer] = {}
    for variables in variables_by_host.values():
        for result in (variables.get(name) or {}).get("results", ()):
            member, answer = str(result[MEMBER]["host"]), read_result(result)
            if member not in answers or not answer.in_flight:
                answers[member] = answer
    return answers


def list_to_confirm(variables_by_host: Variables) -> set[str]:
    """The canaries whose next boot was to have the patch, as it was decided for the batches of these hosts."""
    assessments = (variables.get(ASSESSMENT) or {} for variables in variables_by_host.values())
    return {name for assessment in assessments for name in assessment.get("confirm", ())}


def find_refused_admission(variables_by_host: Variables) -> t.Mapping[str, t.Any] | None:
    """The admission that did not let a batch of these hosts start."""
    admissions = (variables.get(ADMISSION) or {} for variables in variables_by_host.values())
    return next((admission for admission in admissions if not admission.get("go", True)), None)


def determine_outcomes(
    planned: t.Iterable[PlannedHost],
    rollout: str | None,
    variables_by_host: Variables,
    check_mode: bool,
    tasks: t.Mapping[str, outcome.TaskAnswers] | None = None,
) -> list[outcome.Outcome]:
    """What became of planned hosts; those that are in flight still are left out.

    :param rollout: its ID, None where nothing was begun.
    :param tasks: by host, what hosts have answered that others have asked for them.
    """
    outcomes = []
    for row in planned:
        variables = variables_by_host[row.name]
        host = hosts.parse_host(row.name, variables, get_answer(variables, GATHERED))
        # What it was when it was planned: it may have gone down since, and an earlier run have begun with it.
        host = dataclasses.replace(host, build_id=row.build_id, boot_id=row.boot_id, kmp=row.kmp)
        answers = get_task_answers(variables) if tasks is None else tasks.get(row.name, outcome.TaskAnswers())
        if answers.verify is not None and answers.verify.in_flight:
            continue
        result = outcome.determine_outcome(host, variables, answers, rollout, check_mode)
        outcomes.append(dataclasses.replace(result, cohort=row.cohort))
    return outcomes

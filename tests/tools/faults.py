# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults that rollouts had, by number: what was wrong, and the tests that keep it from coming back.

`tests/tools/reproduce_faults.py` shows each of them on the commit that had them all.
"""

from __future__ import annotations

import typing as t

# The commit that has all of these faults
REVISION = "f4a7bfe"


class Fault(t.NamedTuple):
    """
    :ivar tests: each fails without what mends the fault.
    """

    number: int
    text: str
    tests: tuple[str, ...]


_PLAYBOOKS = "tests/playbooks"
_UNIT = "tests/unit/plugins/plugin_utils"
_ROLLOUT = f"{_UNIT}/_rollout"

# What no test of this checkout shows to be mended
OPEN = frozenset({8, 9, 12, 14, 15, 28})

FAULTS = (
    Fault(
        1,
        "a halt under --limit exits with 0 and halts nothing",
        (
            f"{_PLAYBOOKS}/test_rollout_goes_on.py::test_a_halt_holds_whatever_is_limited",
            f"{_PLAYBOOKS}/test_brakes.py::test_it_brakes_or_fails",
        ),
    ),
    Fault(
        2,
        "a halt does not see scope, store and coordinator of the hosts' groups",
        (
            f"{_PLAYBOOKS}/test_operator.py::test_a_command_that_finds_no_rollout_fails",
            f"{_PLAYBOOKS}/test_brakes.py::test_it_brakes_or_fails",
        ),
    ),
    Fault(
        3,
        "scope and store path are used without rendering their templates",
        (
            f"{_PLAYBOOKS}/test_rollout_goes_on.py::test_scope_and_store_may_be_templates",
            f"{_PLAYBOOKS}/test_brakes.py::test_it_brakes_or_fails",
        ),
    ),
    Fault(
        4,
        "neither report nor status shows a halt",
        (
            f"{_PLAYBOOKS}/test_rollout_goes_on.py::test_a_halt_stops_it_and_is_taken_back",
            f"{_PLAYBOOKS}/test_brakes.py::test_it_brakes_or_fails",
        ),
    ),
    Fault(
        5,
        "a blank budget is no limit",
        (
            f"{_PLAYBOOKS}/test_settings.py::test_blank_is_the_default",
            f"{_ROLLOUT}/test_setting_values.py::test_blank_is_the_default",
        ),
    ),
    Fault(
        6,
        "unknown settings are ignored, and hosts are patched",
        (f"{_PLAYBOOKS}/test_settings.py::test_a_misspelled_name_is_refused",),
    ),
    Fault(
        7,
        "a run without the settings of the run before drops its approval",
        (
            f"{_PLAYBOOKS}/test_controls.py::test_a_later_run_goes_by_what_the_rollout_began_with",
            f"{_ROLLOUT}/test_controls.py::test_what_is_tighter_is_obeyed_and_told_and_what_is_looser_is_refused",
        ),
    ),
    Fault(8, "a rollback reaches only hosts of the last rollout", ()),
    Fault(9, "windows that are too short for the soak are waited for without an end", ()),
    Fault(
        10,
        "an approval that has expired and entries that bar nothing are recorded",
        (
            f"{_PLAYBOOKS}/test_operator.py::test_an_approval_that_expired_is_refused",
            f"{_ROLLOUT}/test_quarantine.py::test_an_entry_that_would_bar_nothing_is_refused",
        ),
    ),
    Fault(
        11,
        "hosts of another batch are asked with the health checks of the asking host",
        (
            f"{_ROLLOUT}/test_host_settings.py::test_each_host_has_its_own",
            f"{_ROLLOUT}/test_assess.py::test_each_host_of_the_wave_is_asked_again_in_the_soak",
        ),
    ),
    Fault(12, "a policy that cannot be rendered is no policy", ()),
    Fault(
        13,
        "canaries that cannot be confirmed end with 0",
        (f"{_ROLLOUT}/test_outcome.py::test_a_canary_whose_next_boot_is_not_in_order",),
    ),
    Fault(14, "the soak is measured by two clocks", ()),
    Fault(15, "one host's undefined variable takes the table from all", ()),
    Fault(
        16,
        "a typing error bars the KMP",
        (
            f"{_PLAYBOOKS}/test_settings.py::test_what_is_wrong_is_refused_by_name_and_host",
            f"{_ROLLOUT}/test_setting_values.py::test_what_is_wrong_is_refused_with_what_is_right",
        ),
    ),
    Fault(
        17,
        "a full disk bars the KMP",
        (
            f"{_PLAYBOOKS}/test_blame.py::test_where_hosts_cannot_take_the_kmp_reserves_do",
            f"{_ROLLOUT}/test_causes.py::test_what_each_row_of_the_table_bars",
        ),
    ),
    Fault(
        18,
        "a rollout of another scope on the same hosts bars the KMP",
        (f"{_ROLLOUT}/test_causes.py::test_what_recorded_results_mean",),
    ),
    Fault(
        19,
        "a coordinator whose sudo wants a password is not reached in the middle of a run",
        (
            f"{_ROLLOUT}/test_coordinator.py::test_what_was_asked_for_reaches_the_coordinator",
            f"{_PLAYBOOKS}/test_brakes.py::test_it_brakes_or_fails",
        ),
    ),
    Fault(
        20,
        "what AWX hands over from a rollout breaks the rollback",
        (f"{_PLAYBOOKS}/test_settings.py::test_what_one_playbook_puts_out_another_takes",),
    ),
    Fault(
        21,
        "a run that was killed keeps its lease for an hour",
        (f"{_PLAYBOOKS}/test_lease.py::test_a_run_that_was_killed_is_taken_up_by_the_same_command",),
    ),
    Fault(
        22,
        "blank answers of a survey fail the quarantine",
        (f"{_PLAYBOOKS}/test_settings.py::test_blank_is_the_default",),
    ),
    Fault(
        23,
        "a host name with a blank keeps the rollout from its end",
        (f"{_PLAYBOOKS}/test_rollout_goes_on.py::test_names_that_are_patterns_are_refused_before_any_host_is_asked",),
    ),
    Fault(
        24,
        "canary marks and caps of waves are not kept",
        (
            f"{_PLAYBOOKS}/test_preview.py::test_marks_and_caps_are_kept_and_what_cannot_be_kept_is_refused",
            f"{_ROLLOUT}/test_plan.py::test_caps_cut_the_canaries_too_and_their_waves_have_names",
        ),
    ),
    Fault(
        25,
        "a host that is added while a rollout soaks makes the run fail",
        (
            f"{_PLAYBOOKS}/test_controls.py::test_a_later_run_goes_by_what_the_rollout_began_with",
            f"{_ROLLOUT}/test_outcome.py::test_a_host_that_the_plan_does_not_have_waits_for_the_next_one",
        ),
    ),
    Fault(
        26,
        "check mode shows an open rollout as if nothing were done, and no approval",
        (f"{_PLAYBOOKS}/test_preview.py::test_check_and_plan_show_what_an_open_rollout_still_does",),
    ),
    Fault(
        27,
        "after a rollback the table shows the level as it is for the level before",
        (f"{_UNIT}/_report/test_text.py::test_levels_are_those_before_the_rollout_and_now",),
    ),
    Fault(28, "a coordinator that is lost is told as a bug, or several times", ()),
    Fault(
        29,
        "modules run as the user that a group becomes",
        (f"{_UNIT}/test_host_action.py::test_modules_run_as_root_whatever_other_playbooks_become_on_the_host",),
    ),
    Fault(
        30,
        "check mode takes a store that cannot be made, and a budget of more than all hosts",
        (f"{_PLAYBOOKS}/test_preview.py::test_a_plan_that_differs_says_so_and_a_store_that_cannot_be_made_is_refused",),
    ),
    Fault(
        31,
        "a step reads registered variables by name",
        (f"{_ROLLOUT}/test_hostvars.py::test_answers_registered_by_another_name_are_missed",),
    ),
)

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person sees of a fleet at a glance, and what a scheduled audit insists on."""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _state
from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers.answer import read_result
from ansible_collections.fleet.livepatch.plugins.plugin_utils._errors import PlanError
from ansible_collections.fleet.livepatch.plugins.plugin_utils._report import status
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import hosts
from tests.support import answers

TODAY = datetime.date(2026, 11, 25)
OLD, NEW = answers.package(2), answers.package(3)


def surveyed(state: str = "patched", **told: t.Any) -> dict[str, t.Any]:
    """What livepatch_info returns for a host."""
    return answers.gathered(
        kmp={"installed": told.pop("installed", NEW)},
        livepatch={
            "state": state,
            "compliance": {
                "up_to_date": told.pop("up_to_date", state == "patched"),
                **{key: told.pop(key) for key in ("cves_open", "covered_until") if key in told},
            },
            "evidence": {"threads_left": told.pop("threads_left", 0)},
            "next_boot": {"missing": told.pop("missing", [])},
            **told,
        },
    )


def row(name: str, result: t.Mapping[str, t.Any] | None, **variables: t.Any) -> status.Row:
    variables = {"inventory_hostname": name, **variables}
    answer = None if result is None else read_result(result)
    return status.build_row(hosts.parse_host(name, variables, answer), variables, answer, TODAY)


def lost(name: str, address: str) -> status.Row:
    return row(name, {"unreachable": True, "msg": "ssh: Connection refused"}, ansible_host=address)


def test_a_fleet_worst_first_and_folded() -> None:
    fleet = [row(f"web{number}", surveyed()) for number in range(5)]
    fleet.append(
        row("db1", surveyed("outdated", installed=OLD, level=2, cves_open=["CVE-2099-0003"], persistent=False))
    )
    fleet += [lost("app1", "10.0.0.1"), lost("app2", "10.0.0.2")]
    assert status.format_status(fleet, TODAY) == [
        "STATE     KERNEL         BUILD ID      LEVEL   OPEN CVES  NEXT BOOT  HOSTS",
        "unknown   -              -             -       -          -          2      app1, app2",
        "outdated  6.4.0-default  abababababab  2 -> 3  1          loses it   1      db1",
        "patched   6.4.0-default  abababababab  3       0          keeps it   5      web0, web1, web2 and 2 more",
        "",
        "Problems:",
        (
            "  app1, app2: unknown: unreachable: connection refused by its address; "
            "check ansible_host and ansible_port, and that sshd runs"
        ),
        "",
        "8 hosts: 2 unknown, 1 outdated, 5 patched, 1 host with 1 open CVE",
    ]


@pytest.mark.parametrize(
    ("lock", "variables", "problems"),
    [
        ("none", {}, []),
        ("none", {"livepatch_lock": False}, []),
        ("none", {"livepatch_lock": "yes"}, ["others can install KMPs here, since it is not locked yet"]),
        ("own", {"livepatch_lock": True}, []),
        ("foreign", {"livepatch_lock": True}, []),
        (None, {"livepatch_lock": True}, []),
    ],
)
def test_a_host_that_is_to_be_locked_and_is_not(
    lock: str | None, variables: dict[str, t.Any], problems: list[str]
) -> None:
    of_host = row("web1", answers.gathered(kmp={"lock": lock}), **variables)
    assert [problem.partition(" (")[0] for problem in of_host.problems] == problems


def test_what_a_lock_of_others_keeps_back_is_named() -> None:
    held = {"name": answers.KMP, "evr": "4-1", "code": "locked", "reason": "it is locked in the package manager"}
    of_host = row("web1", answers.gathered(kmp={"rejected": [held, answers.REJECTION]}))
    assert of_host.problems == (
        f"a lock that is not the collection's keeps back {answers.KMP}-4-1: it is locked in the package manager",
    )


def test_one_host_is_told_with_its_address() -> None:
    assert "  app1: unknown: unreachable: connection refused by 10.0.0.1; " in "\n".join(
        status.format_status([lost("app1", "10.0.0.1")], TODAY)
    )


def test_a_migration_that_stalls_is_told_with_who_holds_it_and_what_to_do() -> None:
    blocker = {**answers.BLOCKER, "command": "kworker/1:2"}
    lines = status.format_status([row("web1", surveyed("stalled", threads_left=2, blockers=[blocker]))], TODAY)
    assert "  stalled, 2 left  " in lines[1]
    assert "  web1: blocked by kworker/1:2 (thread 54, kernel_thread): report it to the vendor" in lines


def test_what_a_person_has_to_look_at_beside_the_state() -> None:
    warned = {"verdict": "fail", "problems": [{"what": "warning", "text": "WARNING: at fs/proc"}]}
    lines = status.format_status(
        [
            row("web1", surveyed(missing=["kpatch.service is not enabled"], persistent=False)),
            row("web2", surveyed(health=warned)),
            row("web3", surveyed("crashed", reason="it went down")),
            row("web4", surveyed("unpatched", missing=["told by the rollout that is due"])),
        ],
        TODAY,
    )
    assert lines[lines.index("Problems:") + 1 : -2] == [
        ("  web3: crashed: it went down; read its console and log, then clear its journal (module livepatch_journal)"),
        "  web1: the next boot will not load the patch: kpatch.service is not enabled",
        "  web2: since the patch: warning: WARNING: at fs/proc",
    ]


def test_reboots_are_due_week_by_week() -> None:
    ends = {"web1": "2027-03-31", "web2": "2027-03-30", "web3": "2026-01-02", "web4": None, "web5": "2026-11-25"}
    lines = status.format_status([row(name, surveyed(covered_until=day)) for name, day in ends.items()], TODAY)
    due = lines.index("Live patches end, reboot into a newer kernel before then:")
    assert lines[due + 1 : -2] == [
        "  2026-W01, ended on 2026-01-02: 1 host: web3",
        "  2026-W48, end on 2026-11-25: 1 host: web5",
        "  2027-W13, end on 2027-03-30: 2 hosts: web1, web2",
    ]


def test_a_thousand_hosts_fit_on_a_page() -> None:
    fleet = [row(f"web{number:03}", surveyed()) for number in range(900)]
    fleet += [row(f"app{number:03}", surveyed("mismatch", reason=f"reason {number}")) for number in range(100)]
    lines = status.format_status(fleet, TODAY)
    assert len(lines) < 60
    assert "  and 70 more: -e livepatch_output=json shows all of them" in lines


def test_all_states_have_their_place() -> None:
    states = {*_state.ACTIVE, *_state.PATCHABLE, "crashed", "unknown", "conflict", "mismatch", "not_covered"}
    fleet = [row(state, surveyed(state)) for state in sorted(states | {"stalled", "transitioning"})]
    assert status.format_status(fleet, TODAY)[1].split()[0] == "crashed"
    assert sum(status.to_document(fleet)["counts"].values()) == len(fleet)


def test_how_long_a_fix_has_been_there() -> None:
    assert row("web1", surveyed()).overdue_days == 0
    assert row("web1", surveyed("outdated")).overdue_days == 22
    assert row("web1", surveyed("unknown", up_to_date=None)).overdue_days == 22
    assert lost("web1", "10.0.0.1").overdue_days is None


_VULNERABLE = row("web1", surveyed("outdated", cves_open=["CVE-2099-0003"]))
_WELL = row("web2", surveyed())
_NO_CVE = "length(hosts[?contains(cves_open || `[]`, 'CVE-2099-0003')]) == `0`"


@pytest.mark.parametrize("required", ["counts.outdated == `0`", _NO_CVE, "length(hosts[?overdue_days > `21`]) == `0`"])
def test_what_is_required_does_not_hold(required: str) -> None:
    assert (
        status.check_assertions([_VULNERABLE, _WELL], [required])
        == f"livepatch_assertions: assertion failed: {required}"
    )
    assert status.check_assertions([_WELL], [required]) is None


def test_nothing_is_required() -> None:
    assert status.check_assertions([_VULNERABLE, lost("web3", "10.0.0.1")], []) is None


def test_who_cannot_be_asked_fulfils_nothing() -> None:
    assert status.check_assertions([_WELL, lost("web3", "10.0.0.1")], [_NO_CVE]) == (
        "livepatch_assertions: the state of 1 host is unknown (web3)"
    )


@pytest.mark.parametrize(
    ("required", "why"), [("hosts[", "is not JMESPath"), ("hosts[].name", "neither true nor false")]
)
def test_what_cannot_be_required(required: str, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        status.check_assertions([_WELL], [required])


def test_the_document_is_json() -> None:
    document = json.loads(json.dumps(status.to_document([_WELL])))
    assert document["hosts"][0]["kmp"] == f"{answers.KMP}-3-1"

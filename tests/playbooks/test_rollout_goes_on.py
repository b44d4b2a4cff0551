# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout waits for, what it remembers, and how it is taken up: real playbooks over fake hosts."""

from __future__ import annotations

import hashlib
import json
import re
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils._store.dispatch import Store
from ansible_collections.fleet.livepatch.plugins.plugin_utils._rollout import webhooks
from tests.support import cores, web
from tests.support.controller import Run
from tests.support.fake_fleet import FakeFleet, FakeHost
from tests.support.monitoring import free_port
from tests.support.store import empty_plan

ROLLOUT = "fleet.livepatch.rollout"
KERNEL_OOPS = {"says": "BUG: unable to handle page fault for address: ffffc90000a7f000"}
COMMON: dict[str, t.Any] = {"livepatch_waves": [1], "livepatch_unreachable_timeout": 1}


@pytest.fixture(scope="module")
def fake_fleet(tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(cores.NEWEST))


@pytest.fixture(scope="module", params=[cores.OLDEST, *map(cores.slow, list(cores.VERSIONS)[1:])])
def older(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


@pytest.fixture(scope="module", params=cores.EACH)
def each(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FakeFleet:
    return FakeFleet(tmp_path_factory.mktemp("fake_fleet"), cores.environment(request.param))


def fleet(per_cohort: int = 2, cohorts: str = "ab", **facts: t.Any) -> dict[str, FakeHost]:
    """The first of each cohort is marked as its canary."""
    return {
        f"{cohort}{number}": FakeHost(
            {"build": cohort, **facts.get(f"{cohort}{number}", {})}, {"livepatch_canary": number == 1}
        )
        for cohort in cohorts
        for number in range(1, per_cohort + 1)
    }


def run(fake_fleet: FakeFleet, hosts: dict[str, FakeHost], *arguments: str, **common: t.Any) -> Run:
    return fake_fleet.run(hosts, [ROLLOUT, *arguments], {}, common={**COMMON, **common})


def plan(store: Store, scope: str = "default") -> None:
    """Operators' commands act on a scope that is known."""
    store.save_plan(scope, empty_plan(hashlib.sha256(scope.encode()).hexdigest()))


def shown(fake_fleet: FakeFleet) -> dict[str, t.Any]:
    return Store(str(fake_fleet.store), time.time).show("default")


def extra(**variables: t.Any) -> tuple[str, str]:
    return "-e", json.dumps(variables)


def test_the_second_run_asks_each_host_once_and_changes_nothing(fake_fleet: FakeFleet) -> None:
    assert "4 hosts: 4 done" in run(fake_fleet, fleet()).output
    again = fake_fleet.again([ROLLOUT])
    assert again.rc == 0, again.output
    assert "4 hosts: 4 unchanged" in again.output
    assert again.changed == 0
    asked = [
        event for event in again.events if event.kind == "start" and event.action == "fleet.livepatch.livepatch_info"
    ]
    assert len(asked) == 4
    assert again.started("livepatch") == {}
    assert shown(fake_fleet)["rollout"]["status"] == "done"


def test_a_probe_that_fails_in_the_soak_brings_the_canaries_back_and_bars_the_kmp(fake_fleet: FakeFleet) -> None:
    sick = {"from": {"verify": {"from": {"ask": KERNEL_OOPS}}}}
    first = run(fake_fleet, fleet(a1=sick), livepatch_soak=1)
    assert first.rc == 2
    assert "Gate after canaries: fail (1 of 2 healthy, budget 0)" in first.output, first.output
    assert "4 hosts: 2 rolled_back, 2 pending" in first.output, first.output
    assert "page fault" in first.output
    assert set(fake_fleet.touched()) == {"a1", "b1"}
    (entry,) = shown(fake_fleet)["quarantine"]
    assert entry["cohort"]
    assert entry["reason"].startswith("a1: ")

    # The night after: what is barred is left alone, the other cohort gets its patch.
    again = fake_fleet.again([ROLLOUT, *extra(livepatch_soak=0)])
    assert set(fake_fleet.touched()) == {"a1", "b1", "b2"}, again.output
    # a1 starts from level 1 by now, and is barred as well
    assert "  a1, a2: skipped: quarantine: a1: during the soak" in again.output, again.output
    assert fake_fleet.touched()["a1"] == ["3-1"]
    assert again.rc == 0, "the run that has barred it was the error"

    # Somebody has looked into it.
    cleared = fake_fleet.again(
        [
            "fleet.livepatch.quarantine",
            *extra(
                livepatch_quarantine="clear", livepatch_quarantine_id=entry["id"], livepatch_reason="it was the disk"
            ),
        ]
    )
    assert "Cleared" in cleared.output
    last = fake_fleet.again([ROLLOUT])
    assert last.rc == 0, last.output
    assert fake_fleet.touched()["a1"] == ["3-1", "3-1"]
    assert fake_fleet.touched()["a2"] == ["3-1"]


@pytest.mark.slow
def test_a_soak_is_seen_out_though_the_first_of_the_batch_has_failed(each: FakeFleet) -> None:
    """Whoever comes first answers for tasks that run once."""
    hosts = fleet(5, "a")
    planned = each.run(hosts, ["fleet.livepatch.plan"], {}, common={**COMMON, "livepatch_waves": [2]})
    (told,) = planned.ended("rollout_begin").values()
    first, second = told.result["plan"]["waves"][1]["hosts"]
    wrong = {
        first: {"refusal": "the kernel refused it"},
        second: {"from": {"verify": {"from": {"ask": KERNEL_OOPS}}}},
    }
    hosts = fleet(5, "a", **wrong)
    ended = run(each, hosts, livepatch_waves=[2], livepatch_soak=3, livepatch_budget=1)
    assert set(each.touched()) == {"a1", first, second}, ended.output
    assert "Gate after wave 1: fail (0 of 2 healthy, budget 1)" in ended.output, ended.output
    assert "during the soak: oops: " in ended.output
    assert "5 hosts: 1 failed, 1 rolled_back, 2 pending, 1 done" in ended.output, ended.output
    waited = [
        event.time for event in ended.events if event.action == "fleet.livepatch.rollout_wait" and event.kind == "end"
    ]
    assert len(waited) == 2, "for each wave"
    assert waited[1] >= ended.started("livepatch")[second] + 3


@pytest.mark.slow
def test_a_soak_that_is_longer_than_the_run_is_seen_out_by_the_next(fake_fleet: FakeFleet) -> None:
    first = run(fake_fleet, fleet(), livepatch_soak=4, livepatch_max_runtime=0)
    assert first.rc == 0, first.output
    assert "soaks until" in first.output
    assert set(fake_fleet.touched()) == {"a1", "b1"}
    assert shown(fake_fleet)["rollout"]["status"] == "soaking"
    second = fake_fleet.again([ROLLOUT, *extra(livepatch_max_runtime=0)])
    if shown(fake_fleet)["rollout"]["status"] == "soaking":  # the first wave's, or that of the next one already
        assert second.rc == 0, second.output
    last = fake_fleet.again([ROLLOUT, *extra(livepatch_max_runtime=600)])
    assert last.rc == 0, last.output
    assert "4 hosts: 4 done" in last.output
    assert all(kmps == ["3-1"] for kmps in fake_fleet.touched().values()), "no host twice"


@pytest.mark.slow
def test_a_plan_tells_what_has_changed(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    plan = ["fleet.livepatch.plan", *extra(livepatch_report_dir=str(tmp_path))]
    first = fake_fleet.run(fleet(3), plan, {}, common=COMMON)
    assert "since plan" not in first.output, first.output
    fake_fleet.change("a3", newest="4-1")
    second = fake_fleet.again(plan)
    assert re.search(r"^  another KMP: \S+-3-1 -> \S+-4-1 +1  a3$", second.output, re.MULTILINE), second.output
    told = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("livepatch-plan-default-*Z.json"))]
    assert [one["plan"]["before"] and one["plan"]["before"]["hash"] for one in told] == [None, told[0]["plan"]["hash"]]
    assert "No changes since plan" in fake_fleet.again(["fleet.livepatch.plan"]).output


def test_a_wave_waits_for_its_approval(fake_fleet: FakeFleet) -> None:
    planned = fake_fleet.run(fleet(), ["fleet.livepatch.plan"], {}, common=COMMON)
    (digest,) = re.findall(r"^Plan ([0-9a-f]{64})$", planned.output, re.MULTILINE)
    assert fake_fleet.touched() == {}
    other = fake_fleet.again([ROLLOUT, *extra(livepatch_plan_hash="f" * 64)])
    assert (other.rc, fake_fleet.touched()) == (2, {}), other.output

    arguments = [ROLLOUT, *extra(livepatch_plan_hash=digest, livepatch_approval=[1])]
    first = fake_fleet.again(arguments)
    assert first.rc == 0, first.output
    assert f"wave 1 of plan {digest[:12]} is waiting for approval" in first.output
    assert set(fake_fleet.touched()) == {"a1", "b1"}
    refused = fake_fleet.again(
        [
            "fleet.livepatch.reject",
            *extra(livepatch_plan_hash=digest, livepatch_wave=1, livepatch_reason="not tonight"),
        ]
    )
    assert f"Rejected: wave 1 of plan {digest[:12]}, by " in refused.output, refused.output
    stopped = fake_fleet.again(arguments)
    assert (stopped.rc, "(not tonight)" in stopped.output) == (2, True), stopped.output
    unknown = fake_fleet.again(["fleet.livepatch.approve", *extra(livepatch_plan_hash="f" * 64)])
    assert (unknown.rc, "there is no plan" in unknown.output) == (2, True)
    own = {"livepatch_approver_not_starter": True}
    approve = ["fleet.livepatch.approve", *extra(livepatch_plan_hash=digest, livepatch_wave=1)]
    refused = fake_fleet.again([*approve, *extra(**own)])
    assert refused.rc == 2, refused.output
    assert f"made or started the plan {digest[:12]}, and livepatch_approver_not_starter is set" in refused.output
    assert fake_fleet.again(approve).rc == 0
    still = fake_fleet.again([*arguments, *extra(**own)])
    assert (still.rc, "(not tonight)" in still.output) == (2, True), "one's own approval lifts no rejection"
    kept = fake_fleet.again(arguments)
    assert (kept.rc, "(not tonight)" in kept.output) == (2, True), "it holds though it is not given again"
    change = extra(livepatch_approver_not_starter=False, livepatch_change_reason="nobody else is here")
    last = fake_fleet.again([*arguments, *change])
    assert last.rc == 0, last.output
    assert "4 hosts: 4 done" in last.output


def test_outside_of_the_window_no_host_starts(fake_fleet: FakeFleet) -> None:
    shut = {"livepatch_blackouts": [{"from": "2020-01-01", "to": "2090-01-01", "reason": "month end"}]}
    first = run(fake_fleet, fleet(), **shut)
    assert first.rc == 0, first.output
    assert "No further host is started: a blackout (month end)" in first.output
    assert fake_fleet.touched() == {}
    assert shown(fake_fleet)["rollout"]["status"] == "waiting"
    change = extra(livepatch_blackouts=[], livepatch_change_reason="it cannot wait")
    assert "4 hosts: 4 done" in fake_fleet.again([ROLLOUT, *change]).output
    wrong = fake_fleet.again([ROLLOUT, *extra(livepatch_windows=[{"start": "22:00"}])])
    assert wrong.rc == 2, "though nothing is left to start"
    assert "livepatch_windows (-e): minutes is None" in wrong.output


@pytest.mark.slow
def test_a_window_has_room_for_the_slowest_host_of_a_wave(fake_fleet: FakeFleet) -> None:
    hosts = {name: FakeHost() for name in ("a1", "a2", "a3")}
    hosts["a3"] = FakeHost(variables={"livepatch_timeout": 86400, "livepatch_criticality": 1})
    # 22 hours of it are left
    opened = time.strftime("%H:%M", time.gmtime(time.time() - 3600))
    window = {"start": opened, "minutes": 23 * 60, "tz": "UTC"}
    first = run(fake_fleet, hosts, livepatch_windows=[window], livepatch_waves=[1])
    assert first.rc == 0, first.output
    assert set(fake_fleet.touched()) == {"a1", "a2"}
    assert "3 hosts: 1 pending, 2 done" in first.output, first.output
    assert shown(fake_fleet)["rollout"]["status"] == "waiting"
    change = extra(livepatch_window_min_remaining=0, livepatch_change_reason="a3 is watched")
    assert fake_fleet.again([ROLLOUT, *change]).rc == 0
    assert "a3" in fake_fleet.touched()


@pytest.mark.slow
def test_a_halt_stops_it_and_is_taken_back(fake_fleet: FakeFleet) -> None:
    fake_fleet.make(fleet(), {}, common=COMMON)
    plan(Store(str(fake_fleet.store), time.time))
    assert fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_reason="the array misbehaves")]).rc == 0
    for playbook in ("status", "plan"):
        assert "rollouts are halted by" in fake_fleet.again([f"fleet.livepatch.{playbook}"]).output
    halted = fake_fleet.again([ROLLOUT])
    assert halted.rc == 2
    assert "the array misbehaves" in halted.output
    assert fake_fleet.touched() == {}
    fake_fleet.again(["fleet.livepatch.resume"])
    assert "4 hosts: 4 done" in fake_fleet.again([ROLLOUT]).output


@pytest.mark.slow
def test_a_halt_in_the_soak_passes_nothing(fake_fleet: FakeFleet) -> None:
    fake_fleet.run(fleet(), [ROLLOUT, "--list-tasks"], {}, common=COMMON)
    with fake_fleet.started([ROLLOUT, *extra(livepatch_soak=300)]) as process:
        deadline = time.monotonic() + 60
        while len(fake_fleet.touched()) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        Store(str(fake_fleet.store), time.time).halt("default", "the array misbehaves", "eve")
        ended = fake_fleet.finish(process)
    assert "the array misbehaves" in ended.output, ended.output
    assert ended.rc == 2
    assert set(fake_fleet.touched()) == {"a1", "b1"}
    assert shown(fake_fleet)["rollout"]["status"] == "halted"
    fake_fleet.again(["fleet.livepatch.resume"])
    assert (
        "4 hosts: 4 done"
        in fake_fleet.again([ROLLOUT, *extra(livepatch_soak=1, livepatch_change_reason="no time")]).output
    )


@pytest.mark.slow
def test_an_open_rollout_does_not_let_hosts_be_left_out(fake_fleet: FakeFleet) -> None:
    run(fake_fleet, fleet(), livepatch_approval=["all"])
    for arguments in (["--limit", "a2,b2"], ["-e", "livepatch_targets=a"]):
        refused = fake_fleet.again([ROLLOUT, *arguments])
        assert (refused.rc, "has hosts that this run leaves out" in refused.output) == (2, True), refused.output
    assert fake_fleet.touched() == {}
    aborted = fake_fleet.again(["fleet.livepatch.abort"])
    assert "Aborted rollout " in aborted.output, aborted.output
    assert "2 hosts: 2 done" in fake_fleet.again([ROLLOUT, "--limit", "a2,b2", *extra(livepatch_approval=[])]).output


@pytest.mark.slow
def test_a_canary_that_fails_ends_the_batches_after_it(fake_fleet: FakeFleet) -> None:
    """With halt scope rollout; tests/simulated/test_cohorts.py has the scope cohort."""
    hosts = fleet(cohorts="abcdef", c1={"from": {"apply": {"refusal": "the kernel refused it"}}})
    ended = run(fake_fleet, hosts, livepatch_halt_scope="rollout", livepatch_max_in_flight=2, livepatch_waves=[])
    canaries = {name for name in hosts if name.endswith("1")}
    # Two at a time: those that come after the failed one are never started. Which they are is the plan's choice.
    order = [host for batch in ended.batches for host in batch]
    assert set(fake_fleet.touched()) == set(order[: order.index("c1") // 2 * 2 + 2])
    assert set(fake_fleet.touched()) <= canaries
    assert "1 failed" in ended.output
    assert ended.rc == 2


@pytest.mark.slow
def test_gates_that_look_elsewhere(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    said = {"status": 200}
    with web.served(lambda _asked: (said["status"], "")) as url:
        gate = {"name": "desk", "type": "http", "url": url, "interval": 0.1}
        said["status"] = 429
        first = run(fake_fleet, fleet(), livepatch_gates=[gate])
        assert (first.rc, "Gate after canaries: inconclusive: desk" in first.output) == (2, True), first.output
        assert "livepatch_skip_gates skips a gate" in first.output
        assert shown(fake_fleet)["rollout"]["status"] == "waiting"
        skip = extra(livepatch_skip_gates={"desk": "it is closed at night"})
        said["status"] = 503
        assert "Gate after canaries: error: desk" in fake_fleet.again([ROLLOUT]).output
        assert set(fake_fleet.touched()) == {"a1", "b1"}
        said["status"] = 200
        last = fake_fleet.again([ROLLOUT, *skip])
    assert last.rc == 0, last.output
    kept = [one for one in shown(fake_fleet)["rollout"]["gates"] if one.get("name") == "desk"]
    assert [one["verdict"] for one in kept] == ["inconclusive", "error", "pass", "pass", "pass"]
    assert kept[-1]["skipped"] == "it is closed at night"


@pytest.mark.slow
def test_hooks_are_told_and_nothing_depends_on_them(fake_fleet: FakeFleet) -> None:
    taken: list[tuple[str, str, dict[str, t.Any]]] = []

    def take(asked: web.Asked) -> tuple[int, str]:
        told = json.loads(asked.body)
        assert asked.headers["x-livepatch-signature-256"] == webhooks.sign("hush", asked.body.decode())
        taken.append((asked.path, told["event"], told))
        return (500, "out of order") if asked.path == "/broken" else (204, "")

    with web.served(take) as url:
        well = {"url": f"{url}/well", "secret": "hush"}
        broken = {"url": f"{url}/broken", "secret": "hush", "events": ["gate"], "retries": 0}
        told = {"livepatch_webhooks": [well, broken], "livepatch_approval": [1]}
        first = run(fake_fleet, fleet(), **told)
        assert first.rc == 0, first.output
        points = [point for path, point, _told in taken if path == "/well"]
        assert points == ["start", "wave_start", "wave_end", "gate", "approval", "pause"]
        said = re.sub(r"\s+", " ", first.output)
        assert f"livepatch_webhooks: {url}/*** was not notified of gate: HTTP 500: out of order" in said
        assert {one["rollout"] for _path, _point, one in taken} == {shown(fake_fleet)["rollout"]["id"]}
        plan = taken[0][2]["plan"]
        taken.clear()
        assert fake_fleet.again(["fleet.livepatch.approve", *extra(livepatch_plan_hash=plan, livepatch_wave=1)]).rc == 0
        last = fake_fleet.again([ROLLOUT, *extra(**told)])
        assert last.rc == 0, last.output
    points = [point for path, point, _told in taken if path == "/well"]
    assert points == ["resume", *["wave_start", "wave_end", "gate"] * 2, "done"]
    assert taken[-1][2]["counts"] == {"done": 4}
    assert "hush" not in first.output + last.output


@pytest.mark.slow
def test_hooks_are_told_of_what_goes_wrong(fake_fleet: FakeFleet) -> None:
    taken: list[dict[str, t.Any]] = []

    def take(asked: web.Asked) -> tuple[int, str]:
        taken.append(json.loads(asked.body))
        return 204, ""

    with web.served(take) as url:
        told = {"livepatch_webhooks": [{"url": url}]}
        ended = run(fake_fleet, fleet(a1={"refusal": "no"}), **told)
        assert ended.rc == 2, ended.output
        halt = fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_reason="enough", **told)])
        assert halt.rc == 0, halt.output
        fake_fleet.again([ROLLOUT, "--check", *extra(**told)])
    points = [one["event"] for one in taken]
    assert points == ["start", "wave_start", "wave_end", "gate", "rollback", "halt", "halt"], "and none in check mode"
    gate, rollback, halted, by_hand = taken[-4:]
    assert (gate["status"], gate["go"]) == ("failed", False)
    assert rollback["hosts"] == ["b1"], "to a1 nothing was done"
    assert halted["status"] == "failed" and halted["counts"]["pending"] == 2
    assert "enough" in by_hand["text"]


def test_a_halt_holds_though_nobody_can_be_told(fake_fleet: FakeFleet) -> None:
    hook = {"url": f"http://127.0.0.1:{free_port()}", "retries": 0}
    fake_fleet.make(fleet(), {}, common=COMMON)
    plan(Store(str(fake_fleet.store), time.time))
    halt = fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_reason="enough", livepatch_webhooks=[hook])])
    assert halt.rc == 0, halt.output
    assert f"livepatch_webhooks: {hook['url']} was not notified of halt: " in re.sub(r"\s+", " ", halt.output)
    assert shown(fake_fleet)["halt"]["reason"] == "enough"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            [{"url": "http://chat.example.com", "event": "gate"}],
            "but no webhook was notified: livepatch_webhooks: http://chat.example.com: unknown option event",
        ),
        (["http://chat.example.com"], "Notify the webhooks of the halt"),
        ([{"url": "http://chat.example.com", "secret": "{{ nowhere }}"}], "'nowhere' is undefined"),
    ],
    ids=["option", "type", "template"],
)
def test_a_halt_holds_though_its_webhook_makes_no_sense(fake_fleet: FakeFleet, given: list[t.Any], said: str) -> None:
    fake_fleet.make(fleet(), {}, common={**COMMON, "livepatch_webhooks": given})
    plan(Store(str(fake_fleet.store), time.time))
    halt = fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_reason="enough")])
    assert halt.rc == 2, halt.output
    assert said in halt.output
    assert shown(fake_fleet)["halt"]["reason"] == "enough"


def test_a_halt_holds_though_settings_that_it_does_not_read_are_wrong(fake_fleet: FakeFleet) -> None:
    """An inventory may be changed, wrongly, while a rollout runs; what is typed wrong is refused."""
    wrong = {
        "livepatch_service_group": "{{ of_each_host }}",
        "livepatch_soak": "an hour",
        "livepatch_budgt": 1,
        "livepatch_gates": [{"type": "carrier pigeon"}],
    }
    fake_fleet.make(fleet(), {}, common={**COMMON, **wrong})
    plan(Store(str(fake_fleet.store), time.time))
    halt = fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_reason="enough")])
    assert halt.rc == 0, halt.output
    assert shown(fake_fleet)["halt"]["reason"] == "enough"
    assert fake_fleet.again(["fleet.livepatch.resume", *extra(livepatch_scop="other")]).rc == 2
    assert fake_fleet.again(["fleet.livepatch.resume", *extra(livepatch_scope=True)]).rc == 2
    assert shown(fake_fleet)["halt"] is not None


@pytest.mark.parametrize("limit", ["a1", "a1,b2", "all", "all,localhost"])
def test_a_halt_holds_whatever_is_limited(fake_fleet: FakeFleet, limit: str) -> None:
    fake_fleet.make(fleet(), {}, common=COMMON)
    plan(Store(str(fake_fleet.store), time.time))
    halt = fake_fleet.again(["fleet.livepatch.halt", "--limit", limit, *extra(livepatch_reason="enough")])
    assert halt.rc == 0, halt.output
    assert shown(fake_fleet)["halt"]["reason"] == "enough"
    assert fake_fleet.connections() == []


def test_a_halt_that_is_limited_to_nothing_fails(fake_fleet: FakeFleet) -> None:
    """The inventory has no localhost."""
    fake_fleet.make(fleet(), {}, common=COMMON)
    assert fake_fleet.again(["fleet.livepatch.halt", "--limit", "localhost"]).rc == 1


def test_where_hosts_have_several_scopes_one_is_named(fake_fleet: FakeFleet) -> None:
    hosts = {
        name: FakeHost(host.conditions, {**host.variables, "livepatch_scope": f"scope-{name[0]}"})
        for name, host in fleet().items()
    }
    fake_fleet.make(hosts, {}, common=COMMON)
    store = Store(str(fake_fleet.store), time.time)
    plan(store, "scope-a")
    plan(store, "scope-b")
    refused = fake_fleet.again(["fleet.livepatch.halt"])
    assert refused.rc == 2
    assert "livepatch_scope: 'scope-a' on a1, a2, 'scope-b' on b1, b2. It holds for the whole run" in refused.output, (
        refused.output
    )
    assert (store.get_halt("scope-a"), store.get_halt("scope-b")) == (None, None)
    limited = fake_fleet.again(["fleet.livepatch.halt", "--limit", "b"])
    assert limited.rc == 0, limited.output
    assert fake_fleet.again(["fleet.livepatch.halt", *extra(livepatch_all_scopes=True)]).rc == 0
    halted = {scope: (store.get_halt(scope) or {}).get("scope") for scope in ("scope-a", "scope-b")}
    assert halted == {"scope-a": "*", "scope-b": "*"}
    assert fake_fleet.again(["fleet.livepatch.resume", *extra(livepatch_all_scopes=True)]).rc == 0
    assert store.get_halt("scope-b") is not None, "a halt of its own"


def test_names_that_are_patterns_are_refused_before_any_host_is_asked(fake_fleet: FakeFleet) -> None:
    hosts = {**fleet(), "web 1": FakeHost(), "b": FakeHost()}
    fake_fleet.make(hosts, {}, common=COMMON)
    for playbook in ("status", "rollout"):
        refused = fake_fleet.again([f"fleet.livepatch.{playbook}"])
        assert refused.rc == 2, refused.output
        assert "Ansible reads b, web 1 as a pattern or a group" in refused.output
    assert fake_fleet.connections() == []
    plan(Store(str(fake_fleet.store), time.time))
    # A halt of the others holds.
    assert fake_fleet.again(["fleet.livepatch.halt"]).rc == 0
    assert shown(fake_fleet)["halt"] is not None
    lost = fake_fleet.again(["fleet.livepatch.resume", "--limit", "web*"])
    assert lost.rc == 2, lost.output
    assert "rename" in lost.output


def test_scope_and_store_may_be_templates(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    """All steps, the hosts' own check of the halt among them, and the report use the same scope."""
    common = {
        **COMMON,
        "site": "fra",
        "livepatch_scope": "{{ site }}",
        "livepatch_store_path": "{{ folder }}/store.sqlite3",
        "folder": str(tmp_path),
    }
    fake_fleet.make(fleet(), {}, common=common)
    store = Store(str(tmp_path / "store.sqlite3"), time.time)
    plan(store, "fra")
    assert fake_fleet.again(["fleet.livepatch.halt"]).rc == 0
    assert store.show("fra")["halt"] is not None
    halted = fake_fleet.again([ROLLOUT])
    assert (halted.rc, fake_fleet.touched()) == (2, {}), halted.output
    assert fake_fleet.again(["fleet.livepatch.resume"]).rc == 0
    assert fake_fleet.again([ROLLOUT]).rc == 0
    assert store.show("fra")["rollout"]["status"] == "done"
    assert f"(scope fra, store {tmp_path}/store.sqlite3)" in fake_fleet.again(["fleet.livepatch.resume"]).output


def test_a_rollback_of_all_waves_is_one_of_all(fake_fleet: FakeFleet) -> None:
    assert run(fake_fleet, fleet()).rc == 0
    back = fake_fleet.again(["fleet.livepatch.rollback", *extra(livepatch_wave="all", livepatch_reason="no")])
    assert "4 hosts: 4 rolled_back" in back.output, back.output


@pytest.mark.parametrize("name", ["livepatch_max_runtime", "livepatch_windows"])
def test_what_only_later_steps_take_is_looked_at_before_any_host_is_touched(fake_fleet: FakeFleet, name: str) -> None:
    ended = run(fake_fleet, fleet(), **{name: [{"start": "22:00"}]})
    assert ended.rc == 2, ended.output
    assert re.search(rf"{name}\b.*No host was touched", ended.output), ended.output
    assert ended.started("livepatch") == {}


def test_hooks_that_cannot_be_understood_stop_it_before_it_begins(fake_fleet: FakeFleet) -> None:
    ended = run(fake_fleet, fleet(), livepatch_webhooks=[{"url": "http://chat.example.com", "event": "gate"}])
    assert ended.rc == 2
    assert "livepatch_webhooks: http://chat.example.com: unknown option event" in ended.output
    assert fake_fleet.touched() == {}


@pytest.mark.slow
def test_whose_health_cannot_be_told_pauses_it(fake_fleet: FakeFleet) -> None:
    first = run(fake_fleet, fleet(a1={"from": {"verify": {"forgets": 7}}}))
    told = (
        "Gate after canaries: inconclusive: health: inconclusive "
        r"\(the health of 1 host is not known, a1 among them: [1-9]\d* records of the kernel's log are lost"
    )
    assert re.search(told, first.output), first.output
    assert (first.rc, set(fake_fleet.touched())) == (2, {"a1", "b1"})
    assert shown(fake_fleet)["rollout"]["status"] == "waiting"
    assert fake_fleet.again([ROLLOUT]).rc == 2, "it stays like that"
    last = fake_fleet.again([ROLLOUT, *extra(livepatch_skip_gates={"health": "looked at by hand"})])
    assert last.rc == 0, last.output
    assert set(fake_fleet.touched()) == {"a1", "a2", "b1", "b2"}
    (passed,) = [one for one in shown(fake_fleet)["rollout"]["gates"] if one.get("skipped")]
    assert (passed["name"], passed["skipped"]) == ("health", "looked at by hand")


@pytest.mark.slow
def test_a_gate_that_fails_brings_the_canaries_back(fake_fleet: FakeFleet) -> None:
    with web.served(lambda _asked: (403, "no")) as url:
        ended = run(fake_fleet, fleet(), livepatch_gates=[{"name": "desk", "type": "http", "url": url}])
    assert ended.rc == 2
    assert "4 hosts: 2 rolled_back, 2 pending" in ended.output, ended.output
    assert len(shown(fake_fleet)["quarantine"]) == 2


def test_a_host_that_does_not_go_back_is_told_of(fake_fleet: FakeFleet) -> None:
    stays = {"a1": {"no_way_back": "the vendor advises against it", "from": {"verify": KERNEL_OOPS}}}
    ended = run(fake_fleet, fleet(**stays))
    assert "1 rollback_refused, 1 rolled_back" in ended.output, ended.output
    assert "the vendor advises against it" in ended.output


@pytest.mark.slow
def test_a_canary_that_comes_back_in_time_was_not_lost(fake_fleet: FakeFleet) -> None:
    """It dies when it is verified, and answers again a few seconds later."""
    hosts = fleet(a1={"from": {"verify": {"gone": True}}})
    fake_fleet.run(hosts, [ROLLOUT, "--list-tasks"], {}, common=COMMON)
    with fake_fleet.started([ROLLOUT, *extra(livepatch_unreachable_timeout=60)]) as process:
        deadline = time.monotonic() + 60
        while not (fake_fleet.folder("a1") / "gone").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        fake_fleet.change("a1", gone=False)
        ended = fake_fleet.finish(process)
    assert "4 hosts: 4 done" in ended.output, ended.output
    assert ended.rc == 0


@pytest.mark.slow
def test_the_store_may_be_on_a_host_of_the_inventory(fake_fleet: FakeFleet) -> None:
    place = fake_fleet.folder("c1") / "rollouts.sqlite3"
    hosts = {**fleet(), "c1": FakeHost({"active": "3-1"})}
    there = {"livepatch_coordinator": "c1", "livepatch_store_path": str(place)}
    ended = run(fake_fleet, hosts, **there)
    assert ended.rc == 0, ended.output
    assert "5 hosts: 4 done, 1 unchanged" in ended.output
    assert Store(str(place), time.time).show("default")["rollout"]["status"] == "done"
    assert not fake_fleet.store.exists()
    for name in ("a1", "a2"):
        fake_fleet.change(name, newest="4-1")
    Store(str(place), time.time).halt("default", "stop", "eve")
    assert "rollouts are halted by eve: stop" in fake_fleet.again([ROLLOUT]).output


def test_waves_that_are_larger_than_a_batch_soak_and_are_confirmed_as_a_whole(each: FakeFleet) -> None:
    """Each host of the last batch asks its share of the wave, each with the settings of the one that is asked."""
    hosts = fleet(cohorts="abcde")
    for name, host in hosts.items():
        host.variables["livepatch_health_checks"] = {"services": [name]}
    ended = run(each, hosts, livepatch_max_in_flight=2, livepatch_soak=1, livepatch_waves=[])
    assert ended.rc == 0, ended.output
    assert "10 hosts: 10 done" in ended.output
    confirmed = [
        item["__livepatch_member"]["host"]
        for event in ended.events
        if event.kind == "end" and event.action == "fleet.livepatch.livepatch"
        for item in event.result.get("results", ())
    ]
    assert sorted(confirmed) == [f"{cohort}1" for cohort in "abcde"]
    for name in hosts:
        commands = [json.loads(line) for line in (each.folder(name) / "commands").read_text().splitlines()]
        checks = [command[-1] for command in commands if command[:2] == ["systemctl", "is-active"]]
        assert set(checks) == {name}
        # When it was verified, and in the soak of its wave
        assert len(checks) == 2


@pytest.mark.slow
def test_a_probe_of_an_earlier_batch_brings_all_canaries_back(older: FakeFleet) -> None:
    sick = {"from": {"verify": {"from": {"ask": KERNEL_OOPS}}}}
    hosts = fleet(cohorts="abcde", **{f"{cohort}1": {} for cohort in "abcd"}, e1={})
    first = run(older, hosts, "--check")
    early = first.batches[0][0]
    hosts[early] = FakeHost({**hosts[early].conditions, **sick}, hosts[early].variables)
    ended = run(older, hosts, livepatch_max_in_flight=2, livepatch_soak=1, livepatch_waves=[])
    assert "10 hosts: 5 rolled_back, 5 pending" in ended.output, ended.output
    assert ended.rc == 2


def test_hosts_are_brought_back_by_an_operator(fake_fleet: FakeFleet, tmp_path: Path) -> None:
    run(fake_fleet, fleet())
    without = fake_fleet.again(["fleet.livepatch.rollback"])
    assert (without.rc, "the reason is missing" in without.output) == (2, True), without.output
    one = fake_fleet.again(["fleet.livepatch.rollback", *extra(livepatch_targets="a2", livepatch_reason="it is slow")])
    assert one.rc == 0, one.output
    assert ": 1 host to roll back" in one.output
    assert "1 host: 1 rolled_back" in one.output
    reports = {"livepatch_report_dir": str(tmp_path)}
    rest = fake_fleet.again(["fleet.livepatch.rollback", *extra(livepatch_reason="it is slow", **reports)])
    assert rest.rc == 0, rest.output
    assert "3 hosts: 3 rolled_back" in rest.output
    (path,) = tmp_path.glob("livepatch-rollout-default-*Z.json")
    told = json.loads(path.read_text())
    assert {host["name"]: host["outcome"] for host in told["hosts"]} == dict.fromkeys(fleet(), "rolled_back")
    assert f"Written: {path.with_suffix('.html')}" in rest.output
    order = [name for name, _time in sorted(rest.started("livepatch").items(), key=lambda item: item[1])]
    assert set(order[:2]) == {"a1", "b1"}, "the canaries first"
    # What they had is barred.
    after = fake_fleet.again([ROLLOUT])
    assert "quarantine: it is slow" in after.output
    assert all(kmps == ["3-1"] for kmps in fake_fleet.touched().values())
    path.unlink()
    report = fake_fleet.again(["fleet.livepatch.report", *extra(**reports)])
    (again,) = tmp_path.glob("livepatch-rollout-default-*Z.json")
    assert json.loads(again.read_text())["rollout"] == told["rollout"]
    assert report.rc == 0, report.output
    assert "4 hosts: 4 rolled_back" in report.output
    for gate in ("wave 0: hosts: pass: ", "wave 0: pass: "):
        assert report.output.count(gate) == 1, report.output
    assert "in cohort" in report.output

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a change, each recorded before it is taken, and the way back when one fails. PRIVATE to the
collection.
"""

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils import (
    _boot_persistence,
    _evr,
    _health,
    _journal,
    _kmp_names,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import (
    KernelRefused,
    LivepatchError,
    LoadRefused,
    NotDone,
    TransitionStalled,
    Unmeasured,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, transition
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism.port import Mechanism
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kernel_lock, managers, transaction_check
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import kmp as packages

# A module that is replaced or reversed is let go by a work queue of the kernel a moment later; kpatch waits as long.
_LET_GO = 15.0
# The package is there and the kernel has not taken what is in it.
_KERNELS_NO = (LoadRefused, TransitionStalled, KernelRefused)


# What came of the steps. problem: why they did not all succeed.
class Done(NamedTuple):
    migration: Optional[transition.Migration]
    problem: Optional[LivepatchError]
    warnings: List[str]


# What a change that fails is undone to. It is in the journal: who takes up an interrupted change has not seen it.
# brought: the KMP was not installed. before: the newest EVR that was, None for none. held: something was kept out of
# the next boot already, which is not ours to let in. kept: the next boot kept what was installed.
class Undo(NamedTuple):
    brought: bool
    before: Optional[str]
    held: bool
    kept: bool


class Work:
    """One run of the module on one host. ``request`` is an ``_apply.Request``."""

    def __init__(self, host: Host, mechanism: Optional[Mechanism], kernel: Dict[str, Any], request: Any) -> None:
        self.host = host
        self.kernel = kernel
        self.request = request
        self._found = mechanism
        self._journal = _journal.Journal(host)
        self._warnings: List[str] = []
        # When this run began to change something, by the host's clock
        self._since = host.clock()

    @property
    def _mechanism(self) -> Mechanism:
        if self._found is None:
            raise NotDone("this kernel cannot be live patched")
        return self._found

    @property
    def loses_support(self) -> bool:
        """Whether to disable a patch marks the kernel as unsupported: SUSE's do that."""
        return managers.find(self.host, self.request.policy).name == "zypper"

    @property
    def began(self) -> bool:
        """Whether this run has recorded a change of its own."""
        return self._journal.open

    def see_out(self, observed: Dict[str, Any]) -> Optional[Done]:
        """Sees to the end of a migration that runs already; None where none does.

        One that an earlier run has begun is watched as if this run had: whoever that was has gone away.
        """
        if self._found is None:
            return None
        moving = transition.running(self._found)
        if moving is None:
            return None
        installed = observed["kmp"]["installed"]
        entry = self._journal.read()
        # One that an earlier run has turned round already is only waited for.
        if (
            entry is not None
            and entry["boot_id"] == self.kernel["boot_id"]
            and installed is not None
            and installed["module"] == moving
            and entry["kmp"] == "{name}-{evr}".format(**installed)
            and observed["livepatch"]["transition"]["to"]
        ):
            undo = _undo_of(entry)
            self._begin(entry["kmp"], entry["previous"], "migrating", entry, undo)
            return self._recorded(lambda: self._or_undo(installed, undo, lambda: self._watch(moving)))
        busy = transition.wait_for_others(self.host, self._found, self.request.timeout)
        if busy is None:
            return Done(None, None, [])
        problem = TransitionStalled(
            f"nothing was done: the transition of {busy} did not end within {self.request.timeout:g} s",
            "Deal with its blockers",
            {"blockers": self._blockers(busy)},
        )
        return Done(None, problem, [])

    def apply(self, selected: Dict[str, Any], observed: Dict[str, Any]) -> Done:
        """Installs, loads and watches a KMP; what it has put in place of what was there before goes away.

        What fails is undone, as far as this run has done it.
        """
        before, active = observed["kmp"]["installed"], observed["livepatch"]["level"]
        shown = [one["name"] for one in observed["livepatch"]["patches"] if one["enabled"]]
        kmp = "{name}-{evr}".format(**selected)
        earlier = self._interrupted(kmp)
        if earlier is not None:
            # Its package may be gone by now: whoever was interrupted has seen it.
            previous = earlier["previous"]
        else:
            previous = self._active_evr(selected["name"], shown)
            if previous is None and active is not None and before is not None and before["evr"] != selected["evr"]:
                previous = before["evr"]
        undo = _undo_of(earlier) or Undo(
            self._installed(selected["name"], selected["evr"]) is None,
            before["evr"] if before else None,
            _boot_persistence.is_held(self.host),
            bool(observed["livepatch"]["persistent"]),
        )
        self._begin(kmp, previous, "installing", earlier, undo)
        return self._recorded(lambda: self._apply(selected, before, undo))

    def withdraw(self, patches: List[Dict[str, Any]], name: str) -> Done:
        """Disables what is active, removes its module and all KMPs of this name."""
        self._begin(None, None, "removing", self._interrupted(None), None)
        return self._recorded(lambda: self._withdraw([one["name"] for one in patches], name))

    def end(self, problem: Optional[LivepatchError], result: Dict[str, Any]) -> Optional[LivepatchError]:
        """Confirms a change that has succeeded, where that is asked for, and records what became of it.

        :returns: why it did not come to a good end, which the confirmation may be the first to find.
        """
        told = {key: result[key] for key in ("changed", "transition", "before", "after", "transaction")}
        if problem is None or not problem.result.get("left"):
            # What comes to be on the host from now on is not this change's.
            told["undo"] = None
        confirm = self.request.confirm or self._journal_is_of_removal()
        if problem is None and confirm:
            try:
                self._confirm()
            except LivepatchError as exc:
                problem = exc
        if problem is not None:
            blockers_ = problem.result.get("blockers") or []
            told.update(problem.marks)
            self._journal.end(_journal.FAILED, problem=str(problem), blockers=blockers_, **told)
        else:
            self._journal.end(_journal.DONE if confirm else _journal.SOAKING, **told)
        return problem

    def would_settle(self) -> bool:
        """Whether something is left to do that an earlier run has begun."""
        return self._is_open() or (self.request.confirm and _boot_persistence.is_held(self.host))

    def settle(self) -> bool:
        """Confirms what is active, and puts the next boot in order where that is asked for; whether that changed
        anything.
        """
        changed = False
        if self.would_settle():
            if self.request.confirm:
                _boot_persistence.confirm(self.host, self.kernel["release"])
            entry = self._journal.read()
            if entry is not None and (self._is_open() or self._is_installed(entry["kmp"])):
                self._journal.amend(entry)
                self._journal.end(_journal.DONE if self.request.confirm else _journal.SOAKING, problem=None, undo=None)
            changed = True
        if self.request.mend and self._mend():
            changed = True
        return self.see_to_lock() or changed

    def locks_differ(self) -> bool:
        """Whether the lock on the kernel's package is not as it is wanted."""
        if self.request.kernel_lock is None:
            return False
        manager = managers.find(self.host, self.request.policy)
        return kernel_lock.differs(self.host, manager, self._kernel_package(), self.request.kernel_lock)

    def see_to_lock(self) -> bool:
        """Locks the kernel's package, or takes our locks away, as it is asked for; whether that changed anything."""
        if not self.locks_differ():
            return False
        manager = managers.find(self.host, self.request.policy)
        kernel_lock.put(self.host, manager, self._kernel_package(), self.request.kernel_lock)
        return True

    def _kernel_package(self) -> str:
        if self.kernel["package"] is None:
            raise NotDone("the kernel's package is unknown and cannot be locked", self.kernel["unmeasured"]["package"])
        return str(self.kernel["package"]["name"])

    def _is_open(self) -> bool:
        """Whether the last change has not come to its end: it soaks, or whoever made it was killed."""
        entry = self._journal.read()
        phases = _journal.UNFINISHED + ((_journal.SOAKING,) if self.request.confirm else ())
        return entry is not None and entry["phase"] in phases

    def _journal_is_of_removal(self) -> bool:
        entry = self._journal.read()
        return entry is not None and entry["kmp"] is None

    def _confirm(self) -> None:
        if self._journal_is_of_removal():
            _boot_persistence.release_hold(self.host)
        else:
            _boot_persistence.confirm(self.host, self.kernel["release"])
            if self.request.mend:
                self._mend()

    def _mend(self) -> bool:
        installed = self._newest_installed()
        try:
            found = _boot_persistence.find(self.host, self.kernel, installed)
        except Unmeasured as exc:
            self._warnings.append(str(exc))
            return False
        if not found["missing"] or found["release"] != self.kernel["release"]:
            return False
        _boot_persistence.mend(self.host, self.kernel["release"])
        return True

    def _newest_installed(self) -> Optional[Dict[str, Any]]:
        for name in managers.find(self.host, self.request.policy).kmp_names(self.kernel["release"]):
            found = packages.installed(self.host, name)
            if found:
                return found[0]
        return None

    def _is_installed(self, kmp: Optional[str]) -> bool:
        """Whether it is the newest KMP that is installed: a record of another one tells of a change that failed."""
        installed = self._newest_installed()
        return installed is not None and kmp == "{name}-{evr}".format(**installed)

    def _interrupted(self, kmp: Optional[str]) -> Optional[Dict[str, Any]]:
        """The record of the same change, begun by an earlier run that was interrupted in this boot."""
        entry = self._journal.read()
        if entry is None or entry["kmp"] != kmp:
            return None
        return entry if _journal.interrupted(entry, self.kernel["boot_id"], False) else None

    def _begin(
        self,
        kmp: Optional[str],
        previous: Optional[str],
        phase: str,
        earlier: Optional[Dict[str, Any]],
        undo: Optional[Undo],
    ) -> None:
        """:param earlier: the record of the interrupted change that is taken up, None for a new one."""
        request, boot_id = self.request, self.kernel["boot_id"]
        self._since = self.host.clock()
        if earlier is not None:
            back, baseline = bool(earlier.get("back")), earlier.get("baseline")
        else:
            back, baseline = request.back, _health.baseline(self.host, _health.now(self.host, boot_id))
        fence = request.fence
        if fence is None:  # a run by hand takes no number away
            fence = (self._journal.read() or {}).get("fence")
        change = _journal.Change(request.run, request.rollout, request.plan, kmp, previous, fence, back)
        self._journal.begin(change, boot_id, phase, baseline, None if undo is None else dict(undo._asdict()))

    def _recorded(self, steps: Any) -> Done:
        try:
            return Done(steps(), None, self._warnings)
        except LivepatchError as exc:
            return Done(None, exc, self._warnings)

    def _active_evr(self, name: str, shown: List[str]) -> Optional[str]:
        """The EVR of the installed KMP whose module is active."""
        return next((one["evr"] for one in packages.installed(self.host, name) if one["module"] in shown), None)

    def _apply(self, selected: Dict[str, Any], before: Optional[Dict[str, Any]], undo: Undo) -> transition.Migration:
        name, version = selected["name"], selected["evr"]
        older = before is not None and _evr.compare(version, before["evr"]) < 0
        migration = self._or_undo(selected, undo, lambda: self._put(name, version, older))
        if older:
            self._remove_newer(name, version)
        self._journal.enter("verifying")
        self._unload_leftovers()
        return migration

    def _put(self, name: str, version: str, older: bool) -> transition.Migration:
        """Installs it where it is not, and has the kernel take it."""
        manager = managers.find(self.host, self.request.policy)
        if not self.request.confirm:
            _boot_persistence.hold(self.host)
        if self._installed(name, version) is None:
            manager.install(name, version, older)
        installed = self._installed(name, version)
        if installed is None:
            raise NotDone(f"{name}-{version} is not installed, though the package manager reported success")
        if installed["target_release"] != self.kernel["release"]:
            raise NotDone(
                "{}-{} was not loaded: its module was built for {}, the kernel that runs is {}".format(
                    name, version, installed["target_release"], self.kernel["release"]
                )
            )
        if not self.request.confirm:
            told = _boot_persistence.keep_out(self.host, self.kernel["release"], installed["module_path"])
            self._warnings += [told] if told else []
        return self._activate(installed)

    def _or_undo(self, kmp: Dict[str, Any], undo: Optional[Undo], steps: Any) -> transition.Migration:
        """Takes the steps, and where they fail undoes what the change has done.

        :param undo: None for an unknown one, of which nothing is undone.
        """
        try:
            migration: transition.Migration = steps()
        except LivepatchError as exc:
            refused = isinstance(exc, _KERNELS_NO) and not exc.result.get("left")
            if undo is not None and undo.brought:
                if refused:
                    self._take_back(kmp["name"], kmp["evr"], undo.before, exc)
                self._next_boot_as_it_was(kmp["name"], kmp["evr"], undo, exc)
            elif refused:
                held = _boot_persistence.is_held(self.host)
                then = "it is kept out of the next boot until it is confirmed" if held else "the next boot may load it"
                _add(exc, "{name}-{evr} was installed before, and still is: {then}".format(then=then, **kmp))
            raise
        return migration

    def _activate(self, installed: Dict[str, Any]) -> transition.Migration:
        module = installed["module"]
        shown = self._mechanism.patch(module)
        # Else the package's own script has loaded it already. Before Linux 5.1 a disabled patch is still shown.
        if shown is None or not (shown.enabled or shown.transition):
            self._load(module, installed["module_path"])
        return self._watch(module)

    def _watch(self, module: str) -> transition.Migration:
        started = self._started(module)
        self._journal.enter("migrating", started + self.request.timeout)
        migration = transition.wait(self.host, self._mechanism, module, started, self.request.timeout)
        return migration if migration.completed else self._stalled(module, started)

    def _started(self, module: str) -> float:
        """When the migration began: a package's script has started it before the package manager came to its end."""
        now = self.host.clock()
        began, finished = self._mechanism.logged(module)
        if began is None or finished is not None:
            return now
        return max(self._since, min(now, began))

    def _installed(self, name: str, version: str) -> Optional[Dict[str, Any]]:
        """The KMP in just this version; another one may be installed beside it."""
        return next((one for one in packages.installed(self.host, name) if one["evr"] == version), None)

    def _load(self, module: str, path: str) -> None:
        deadline = self.host.clock() + self.request.timeout
        self._journal.enter("loading")
        while True:
            remaining = max(0.0, deadline - self.host.clock())
            busy = transition.wait_for_others(self.host, self._mechanism, remaining)
            if busy is not None:
                raise TransitionStalled(
                    f"{module} was not loaded: the transition of {busy} did not end within {self.request.timeout:g} s",
                    "Find its blockers with livepatch_info",
                )
            if self._mechanism.patch(module) is not None and self._mechanism.enable(module):
                return
            if self._mechanism.loaded(module) and not self._unload(module):
                raise LoadRefused(
                    f"an inactive module {module} is in the kernel and cannot be removed",
                    "Reboot the host to be rid of it",
                )
            try:
                self._mechanism.load(path)
                return
            except LoadRefused as exc:
                # Somebody else's patch was quicker: its transition ends some time.
                if not self._mechanism.is_busy(exc) or transition.running(self._mechanism) is None:
                    raise

    def _unload(self, module: str) -> bool:
        """A module that patches nothing any more; it cannot be enabled again."""
        deadline = self.host.clock() + _LET_GO
        while self._mechanism.references(module) and self.host.clock() < deadline:
            self.host.sleep(transition.INTERVAL)
        return self._mechanism.unload(module)

    def _unload_leftovers(self) -> None:
        """Modules of older levels that were replaced."""
        shown = [one.name for one in self._mechanism.patches()]
        for name in self.host.names("/sys/module"):
            if _kmp_names.module_level(name) is not None and name not in shown:
                self._unload(name)

    def _stalled(self, module: str, started: float) -> transition.Migration:
        limit = self.request.timeout
        found = {"blockers": self._blockers(module)}  # a reversal sets them free: ask before it
        problem = f"the migration to {module} did not complete within {limit:g} s{_blamed(found['blockers'])}"
        if self.request.on_stall == "leave":
            self._journal.enter("stalled", started + limit)
            raise TransitionStalled(problem + " and was left running", "Deal with the blockers", dict(found, left=True))
        self._journal.enter("reversing", self.host.clock() + limit)
        if not self._mechanism.in_transition(module):
            # It completed while we looked for what blocked it, and a reversal would take a good patch away. So nothing
            # that takes time may come between this look and the reversal: the disk has taken its own already.
            return transition.wait(self.host, self._mechanism, module, started, limit)
        try:
            self._mechanism.reverse(module)
        except KernelRefused as exc:
            if not self._mechanism.in_transition(module):
                return transition.wait(self.host, self._mechanism, module, started, limit)
            raise TransitionStalled(f"{problem}, and {exc}", "Deal with the blockers", dict(found, left=True)) from exc
        back = transition.wait(self.host, self._mechanism, module, self.host.clock(), limit)
        if not back.completed:
            raise TransitionStalled(
                problem + ", and neither did its reversal", "Deal with the blockers", dict(found, left=True)
            )
        self._unload(module)
        raise TransitionStalled(problem + " and was reversed", "Deal with the blockers, and try again", found)

    def _blockers(self, module: str) -> List[Dict[str, Any]]:
        shown = self._mechanism.patch(module)
        return blockers.find(self.host, self._mechanism, shown is None or shown.enabled).shown

    def _remove_newer(self, name: str, version: str) -> None:
        """Levels that are installed beside it and would be loaded at the next boot in its place."""
        manager = managers.find(self.host, self.request.policy)
        for one in packages.installed(self.host, name):
            if _evr.compare(one["evr"], version) > 0:
                self._journal.enter("removing")
                transaction_check.check_removal(manager.preview_removal(name, one["evr"]), name, one["evr"])
                manager.remove(name, one["evr"])

    def _take_back(self, name: str, version: str, before: Optional[str], problem: LivepatchError) -> None:
        """Has the packages as they were: what the kernel did not take must not be loaded at the next boot."""
        manager = managers.find(self.host, self.request.policy)
        try:
            self._journal.enter("removing")
            if before is not None and self._installed(name, before) is None:
                manager.install(name, before, _evr.compare(before, version) < 0)
            if self._installed(name, version) is not None:
                transaction_check.check_removal(manager.preview_removal(name, version), name, version)
                manager.remove(name, version)
        except LivepatchError as exc:
            _add(problem, f"{name}-{version} is still installed: {exc}")

    def _next_boot_as_it_was(self, name: str, version: str, undo: Undo, problem: LivepatchError) -> None:
        """Ends the hold of a change that failed, and has the next boot keep what it kept before: an initrd that was
        made meanwhile is without that. Unless what failed is still there.
        """
        try:
            if self._installed(name, version) is not None:
                return
            if not undo.held:
                _boot_persistence.release_hold(self.host)
            if undo.kept and not _boot_persistence.is_held(self.host):
                self._mend()
        except LivepatchError as exc:
            _add(problem, f"The next boot is not as it was: {exc}")

    def _withdraw(self, patches: List[str], name: str) -> Optional[transition.Migration]:
        migration: Optional[transition.Migration] = None
        for module in patches:
            shown = self._mechanism.patch(module)
            if shown is not None and shown.enabled:
                self._mechanism.disable(module)
                started = self.host.clock()
                self._journal.enter("migrating", started + self.request.timeout)
                migration = transition.wait(self.host, self._mechanism, module, started, self.request.timeout)
                if not migration.completed:
                    return self._stalled_back(module)
        self._journal.enter("removing")
        manager = managers.find(self.host, self.request.policy)
        for one in packages.installed(self.host, name):
            transaction_check.check_removal(manager.preview_removal(name, one["evr"]), name, one["evr"])
            manager.remove(name, one["evr"])
        self._journal.enter("verifying")
        self._unload_leftovers()
        return migration

    def _stalled_back(self, module: str) -> transition.Migration:
        found = {"blockers": self._blockers(module)}
        blamed = _blamed(found["blockers"])
        problem = f"the migration away from {module} did not complete within {self.request.timeout:g} s{blamed}"
        if self.request.on_stall == "leave" or not self._mechanism.reversible:
            self._journal.enter("stalled", self.host.clock())
            raise TransitionStalled(problem + " and was left running", "Deal with the blockers", dict(found, left=True))
        self._journal.enter("reversing", self.host.clock() + self.request.timeout)
        self._mechanism.reverse(module)
        back = transition.wait(self.host, self._mechanism, module, self.host.clock(), self.request.timeout)
        said = " and was reversed: it is active as before" if back.completed else ", and neither did its reversal"
        raise TransitionStalled(problem + said, "Deal with the blockers, and try again", found)


def _undo_of(entry: Optional[Dict[str, Any]]) -> Optional[Undo]:
    """What the change of this record is undone to; None where it does not say."""
    told = entry.get("undo") if entry is not None else None
    return Undo(**told) if told else None


def _add(problem: LivepatchError, words: str) -> None:
    """Says what else is wrong, after something did not work."""
    problem.args = ("{}. {}".format(str(problem).rstrip(". "), words),)


def _blamed(found: List[Dict[str, Any]]) -> str:
    """Who kept a migration from completing, in words."""
    if not found:
        return ""
    words = ["{command} (tid {tid}, {class})".format(**one) for one in found[:3]]
    return " because of {}{}".format(", ".join(words), " and others" if len(found) > len(words) else "")

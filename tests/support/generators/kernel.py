# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the kernel shows: its log, sysfs, /proc and its notes. Python 3.6."""

import struct
from typing import Any, Optional

from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import elf_notes, log, release, signing, taint
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, kgraft, klp
from tests.support import factories
from tests.support.generators.case import (
    REFUSED,
    UNKNOWN,
    VALUE,
    Case,
    Chance,
    Files,
    nonsense,
    nonsense_text,
)


def _program(chance: Chance) -> str:
    """A program's name, 15 bytes at most: any letters, and the first ones of what a kernel prints."""
    line = chance.choice(_TROUBLE)[1]
    letters = "".join(chance.choice("aO B:[]#()1/-x\t") for _letter in range(15))
    return chance.choice([line[:15], letters, line[:8] + letters[:7], line[: chance.randrange(1, 16)]])


_TROUBLE = [
    ("panic", "Kernel panic - not syncing: Fatal exception"),
    ("oops", "BUG: unable to handle page fault for address: ffffffffffffffc8"),
    ("oops", "Oops: 0002 [#1] PREEMPT SMP NOPTI"),
    ("oops", "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP"),
    ("oops", "Internal error: Oops - BUG: 00000000f2000800 [#1] SMP"),
    ("oops", "Oops: Kernel access of bad area, sig: 11 [#1]"),
    ("oops", "Oops: 0004 ilc:2 [#1]SMP "),
    ("bug", "kernel BUG at mm/usercopy.c:102!"),
    ("bug", "BUG: KASAN: slab-use-after-free in x+0x1/0x2"),
    ("bug", "UBSAN: array-index-out-of-bounds in drivers/x.c:12:3"),
    ("warning", "WARNING: CPU: 0 PID: 812 at fs/proc/cmdline.c:9 cmdline_proc_show+0x12/0x30 [x]"),
    ("warning", "WARNING: kernel/workqueue.c:2257 at __queue_work+0x4c0/0x4d0, CPU#1: a b/54"),
    ("lockup", "watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [kworker/u32:9:5941]"),
    ("hung_task", "INFO: task {}:23 blocked for more than 120 seconds."),
    ("rcu_stall", "rcu: INFO: rcu_preempt self-detected stall on CPU"),
]
_FOREIGN = [
    "{}[812]: segfault at 0 ip 00005581 sp 00007ffe error 4 in {}[55d0+1000]",
    "{} invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "{}: page allocation failure: order:5, mode:0x40cc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)",
    "usb 1-1: Product: {}{}",
    "traps: {}[99] general protection fault ip:14 sp:7f error:0 in {}[401000+1000]",
    "audit: type=1400 audit(1.1:9): comm={}",
]


def make_record(chance: Chance) -> Case:
    kind: Optional[str]
    kind, text = chance.choice(_TROUBLE)
    text = text.format(_program(chance))
    if chance.random() < 0.5:
        kind, text = None, chance.choice(_FOREIGN).format(_program(chance), chance.choice(_TROUBLE)[1])
    facility = chance.choice([0, 0, 0, 1, 3, 23])
    number, moment = chance.randrange(10**9), chance.randrange(10**12)
    record = "{},{},{},-{};{}\n KEY=BUG: x\n".format(
        facility << 3 | chance.randrange(8), number, moment, chance.choice(["", ",caller=T54"]), text
    )
    value = (facility, number, moment, kind if facility == 0 else None)
    right = (VALUE,)
    if chance.random() < 0.15:
        right, record = (
            (REFUSED,),
            chance.choice(["x" + record, record.replace(",", ";", 1), "", text.replace(";", "")]),
        )

    def parse() -> Any:
        (parsed,) = log.read_records(Files({}, records=[record]))
        return parsed.facility, parsed.sequence, round(parsed.seconds * 1e6), log.classify_record(parsed)

    return Case(record, parse, right, value)


def make_taint(chance: Chance) -> Case:
    value = chance.choice([0, 1 << chance.randrange(60), chance.randrange(1 << 20)])
    path = "/proc/sys/kernel/tainted"
    if chance.random() < 0.4:
        text = chance.choice(["-7", "0x200", "1" * 21, "12 13", "\u0663", "x", ""] + [nonsense_text(chance)])
        return Case(text[:80], lambda: taint.read_taint(Files({path: text.encode()})), (REFUSED,))
    if chance.random() < 0.1:
        return Case(None, lambda: taint.read_taint(Files({})), (UNKNOWN,))
    return Case(value, lambda: taint.read_taint(Files({path: f"{value}\n".encode()})), (VALUE,), value)


def make_patch(chance: Chance) -> Case:
    enabled, moving, order = chance.random() < 0.5, chance.random() < 0.5, chance.randrange(50)
    base = "/sys/kernel/livepatch/x"
    files = {
        base + "/enabled": b"1\n" if enabled else b"0\n",
        base + "/transition": b"1\n" if moving else b"0\n",
        base + "/stack_order": f"{order}\n".encode(),
        base + "/vmlinux/do_x,1/old": b"",
    }
    value, right = (enabled, moving, None, order, {"vmlinux": ["do_x"]}, None), VALUE
    way = chance.randrange(7)
    if way == 0:
        right, files[base + "/stack_order"] = REFUSED, nonsense_text(chance).replace("-1", "x").encode()
    elif way == 1:
        right = UNKNOWN
        del files[base + "/enabled"]
    elif way == 2:
        right = REFUSED
        del files[base + "/transition"]
    elif way == 3:
        right, files["/sys/module/x/notes/.note.gnu.build-id"] = REFUSED, nonsense(chance)[:70] + b"\xff"

    def parse() -> Any:
        patch = klp.Klp(Files(files)).read_patch("x")
        return patch and tuple(patch)[1:]

    return Case(files, parse, (right,), value)


def make_kgraft(chance: Chance) -> Case:
    states = [(f"f{number}", chance.randrange(7)) for number in range(chance.randrange(1, 5))]
    broken = chance.random() < 0.3
    bad = chance.choice(["x", "-1", "10", "\u0663", "9" * 5000])
    rows = [f"{name}  vmlinux {state}" for name, state in states] + ([f"g vmlinux {bad}"] if broken else [])
    files = {
        "/sys/kernel/kgraft/a-b/state": "\n".join(["Function State", *rows]).encode(),
        "/sys/kernel/kgraft/in_progress": b"0",
    }
    value = any(state in (1, 2, 6) for _name, state in states), [name for name, _state in states]

    def parse() -> Any:
        patch = kgraft.Kgraft(Files(files)).read_patch("a_b")
        return patch and (patch.enabled, patch.functions["vmlinux"])

    return Case(files, parse, (REFUSED,) if broken else (VALUE,), value)


def make_thread(chance: Chance) -> Case:
    command = "".join(chance.choice("ab )(R1\x7f-") for _letter in range(chance.randrange(16)))
    state, flags, cpu = chance.choice("RSDTtZ"), chance.choice([0, 0x00200000, 0x00404000]), chance.randrange(512)
    fields = [state, "1", "1", "1", "0", "-1", str(flags), *["0"] * 29, str(cpu)]
    known, kernel_thread = cpu, bool(flags)
    if chance.random() < 0.3:
        kernel_thread = False
        fields[6] = chance.choice(["x", "-1", "9" * 5000, "\u0663"])
        fields[36] = chance.choice(["x", "-1", "9" * 5000, "\u0663"])
        known = None  # type: ignore[assignment]
    kernel_thread = kernel_thread and flags == 0x00200000
    files = {
        "/proc/54/task/54/stat": f"54 ({command}) {' '.join(fields)}".encode(),
        "/proc/54/task/54/patch_state": b"0\n",
        "/proc/\u0663/task/\u00b2/patch_state": b"0\n",
        "/proc/54/task/x/patch_state": b"0\n",
        "/sys/devices/system/cpu/isolated": chance.choice([b"", b"0-3,8", b"x", b"0-999999999999", b"-", b"\xff1"]),
    }

    def parse() -> Any:
        result = blockers.find_blockers(Files(files), klp.Klp(Files(files)), True)
        one = result.first[0]
        return result.total, one["tid"], one["command"], one["state"], one["cpu"], one["kernel_thread"]

    return Case(files, parse, (VALUE,), (1, 54, command, state, known, kernel_thread))


def make_keys(chance: Chance) -> Case:
    names = {"".join(chance.choice("ab: .[]0") for _letter in range(9)).strip() or "a" for _name in range(3)}
    lines = []
    value = set()
    for name in sorted(names):
        user, kind = chance.choice([0, 0, 1000]), chance.choice(["asymmetri", "asymmetri", "user     ", "keyring  "])
        certificate = f"{name}: 0a1b: X509.rsa 524668e2 []"
        described = certificate if kind == "asymmetri" else f"x asymmetri {certificate}"
        lines.append(f"13eb6369 I------     1 perm 1f030000 {user:5} {user:5} {kind} {described}")
        if user == 0 and kind == "asymmetri":
            value.add(name)
    text = "\n".join(lines).encode()
    return Case(
        text, lambda: signing.list_certificates(Files({"/proc/keys": text})), (VALUE if value else UNKNOWN,), value
    )


def make_release(chance: Chance) -> Case:
    version = ".".join(str(chance.randrange(20)) for _number in range(3))
    middle = chance.choice(["", "-56", "-150400.24.103", "-rc1"])
    flavor = chance.choice([None, "default", "cloud-amd64"])
    name = version + middle + (f"-{flavor}" if flavor else "")
    return Case(name, lambda: tuple(release.parse_release(name, "x86_64")), (VALUE,), (name, version, flavor))


def make_notes(chance: Chance) -> Case:
    def other() -> bytes:
        owner, number = chance.choice([(b"Xen\0", 3), (b"GNU\0", 1), (b"Linux\0", 0x101), (b"", 3)])
        return factories.note(owner, number, bytes(chance.randrange(20)))

    identity = bytes(chance.randrange(256) for _byte in range(chance.choice([8, 16, 20])))
    before = b"".join(other() for _note in range(chance.randrange(4)))
    own = factories.note(b"GNU\0", 3, identity)
    after = b"".join(other() for _note in range(chance.randrange(4)))
    way = chance.randrange(6)
    right, data = VALUE, before + own + after
    if way == 0:
        # What pads the last note may be missing.
        right, data = REFUSED, before + own[: chance.randrange(16 + len(identity))]
    elif way == 1:
        right, data = REFUSED, before + after
    elif way == 2:
        right, data = REFUSED, before + factories.note(b"GNU\0", 3, bytes(chance.choice([0, 21, 64]))) + after
    elif way == 3:
        right, data = REFUSED, factories.note(b"x\0", 1, b"") * 1001 + own
    elif way == 4 and chance.random() < 0.5:
        right, data = (
            REFUSED,
            struct.pack("<III", *(chance.choice([0, 2**31, 2**32 - 1]) for _word in range(2)), 3)[:12],
        )
        data = data if data[:8] != bytes(8) else data + b"\1"
    return Case(data, lambda: elf_notes.parse_build_id(data, "little"), (right,), identity.hex())

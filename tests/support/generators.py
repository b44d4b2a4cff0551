# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a kernel, a repository or a local user can hand to each parser, and what is right for it. Python 3.6.

Each generator makes an input, and says by what it has put in, without the parser, which of three is right: this value,
unknown (the parser returns None), or refused (it raises Unmeasured). Anything else that is raised is a fault.
"""

import bz2
import gzip
import json
import lzma
import random
import struct
from html import escape
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _evr, _journal, _kmp_names
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import (
    elf_notes,
    initrd,
    log,
    release,
    signing,
    taint,
)
from ansible_collections.fleet.livepatch.plugins.module_utils._mechanism import blockers, kgraft, klp
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import (
    advisories,
    module_file,
    payload,
    port,
    repo_files,
)
from tests.support import factories

VALUE, UNKNOWN, REFUSED = "value", "unknown", "refused"
Chance = random.Random


class Case(NamedTuple):
    # What is handed to the parser, to be shown where it fails
    data: Any
    parse: Callable[[], Any]
    # VALUE, UNKNOWN or REFUSED; for nonsense either of the last two
    right: Tuple[str, ...]
    value: Any = None


class _Files(Host):
    """A host whose files are in memory, and whose tools all print the same."""

    byteorder = "little"

    def __init__(self, files: Dict[str, bytes], printed: bytes = b"", records: Any = ()) -> None:
        super().__init__()
        self._files = files
        self._printed = printed
        self._records = records

    def read_bytes(self, path: str) -> Optional[bytes]:
        return self._files.get(path)

    def read_start(self, path: str) -> Optional[bytes]:
        return self._files.get(path)

    def read_pieces(self, path: str, start: int = 0, size: Any = None) -> Any:
        if path not in self._files:
            raise Unmeasured("cannot read " + path)
        data = self._files[path][start:] if size is None else self._files[path][start : start + size]
        for at in range(0, len(data), 3000):
            yield data[at : at + 3000]

    def read_kernel_log(self) -> Any:
        return list(self._records)

    def list_names(self, path: str) -> List[str]:
        return sorted({name[len(path) + 1 :].split("/")[0] for name in self._files if name.startswith(path + "/")})

    def is_dir(self, path: str) -> bool:
        return any(name.startswith(path + "/") for name in self._files)

    def get_mtime(self, path: str) -> Optional[float]:
        return 1.0 if path in self._files else None

    def find_tool(self, tool: str) -> None:
        return None

    def pipe(self, argv: Any, source: Any, seconds: float) -> Any:
        for at in range(0, len(self._printed), 1000):
            yield self._printed[at : at + 1000]


def _nonsense(chance: Chance) -> bytes:
    return bytes(chance.randrange(256) for _byte in range(chance.choice([0, 1, 7, 64, 300])))


def _nonsense_text(chance: Chance) -> str:
    words = [
        "",
        " ",
        "-1",
        "1e9",
        "0x10",
        "nan",
        "\u0663",
        "\u00b2",
        "1_000",
        "9" * 5000,
        "1 2",
        "\0",
        "true",
        "+7",
        "--1",
    ]
    return chance.choice(words)


def _xz(data: bytes) -> bytes:
    """Its usual presets take a millisecond for their dictionary alone."""
    return lzma.compress(data, preset=0)


def _pack(chance: Chance, data: bytes) -> bytes:
    kinds: List[Callable[[bytes], bytes]] = [bytes, gzip.compress, _xz, bz2.compress]
    return chance.choice(kinds)(data)


def _cut(chance: Chance, data: bytes, keep: int = 0) -> bytes:
    """:param keep: as many bytes at the end carry nothing."""
    return data[: chance.randrange(max(1, len(data) - keep))]


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
        (parsed,) = log.read_records(_Files({}, records=[record]))
        return parsed.facility, parsed.sequence, round(parsed.seconds * 1e6), log.classify_record(parsed)

    return Case(record, parse, right, value)


def make_versions(chance: Chance) -> Case:
    """A version, and one of which a single rule says where it comes."""
    digits = "".join(chance.choice("123456789") for _digit in range(9)) * chance.choice([1, 1, 2, 3, 600])
    digits = digits[: chance.choice([1, 2, len(digits)])]
    words = [digits, *(chance.choice(["1", "42", "el", "a", "git"]) for _word in range(chance.randrange(3)))]
    base = chance.choice(".-_+").join(words).replace("-", "_")
    other, sign = chance.choice(
        [
            (base, 0),
            ("000" + base, 0),
            (base + "...", 0),
            (base + ".0", -1),
            (base + "a" if base[-1].isdigit() else base + ".1", -1),
            (base + "^1", -1),
            (base + "~1", 1),
            ("1" + digits + base[len(digits) :], -1),
            (digits[:-1] + "0" + base[len(digits) :], 1),
            ("x" + base, 1),
        ]
    )
    epoch, more = chance.choice([("", 0), ("0:", 0), ("7:", 1), ("9" * 5000 + ":", 1)])
    own, wanted = chance.choice(["", "0:", ":"]) + base + "-1", epoch + other + "-1"
    expected = -1 if more else sign

    def parse() -> Any:
        difference, back = _evr.compare(own, wanted), _evr.compare(wanted, own)
        return (difference > 0) - (difference < 0), (back > 0) - (back < 0)

    return Case((own[:80], wanted[:80]), parse, (VALUE,), (expected, -expected))


def make_level(chance: Chance) -> Case:
    digits = chance.choice([str(chance.randrange(10**9)), str(chance.randrange(200)), "1" * chance.randrange(10, 5000)])
    name = chance.choice(["kernel-livepatch-6_1_0-56-default", "kpatch-patch-4_18_0-305"])
    evr = f"1-{digits}.el8" if name.startswith("kpatch") else f"{digits}-150400.2.1"
    if chance.random() < 0.2:
        return Case(evr, lambda: _kmp_names.parse_level(name, "x" + evr.replace("-", "-x")), (UNKNOWN,))
    if len(digits) > 9:
        return Case(evr[:80], lambda: _kmp_names.parse_level(name, evr), (UNKNOWN,))
    return Case(evr, lambda: _kmp_names.parse_level(name, evr), (VALUE,), int(digits))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _entry(chance: Chance) -> Dict[str, Any]:
    entry = {
        "schema": 1,
        "phase": chance.choice([*_journal.UNFINISHED, _journal.SOAKING, _journal.DONE, _journal.FAILED]),
        "kmp": chance.choice(
            [None, "kernel-livepatch-6_1_0-56-default-3-150400.2.1", "kpatch-patch-4_18_0-305-1:1-7.el8"]
        ),
        "boot_id": chance.choice([None, "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11"]),
        "problem": chance.choice([None, "the kernel refused it: \u00e9"]),
        "previous": chance.choice([None, "2-150400.2.1"]),
        "run": chance.choice([None, "r-1"]),
        "plan": None,
        "deadline": chance.choice([None, 12.5, 99]),
        "rollout": chance.choice([None, "weekly"]),
        "fence": chance.choice([None, 0, 1800000000]),
        "back": chance.choice([True, False]),
        "baseline": chance.choice([None, {"boot_id": "one", "taint": 512, "log": None, "at": 1.5}]),
        "undo": chance.choice(
            [
                None,
                {
                    "was_absent": True,
                    "previous_evr": None,
                    "was_held": False,
                    "was_persistent": True,
                    "previous_arch": "x86_64",
                    "previous_digests": ["5f" * 32],
                },
            ]
        ),
        "began": 1800000000.123,
        "at": 1800000001,
        "changed": False,
        "transition": {"seconds": None, "by": None},
        "steps": [["installing", 1800000000.1], ["loading", 1800000001]],
    }
    if chance.random() < 0.3:
        entry.update(before={"state": "unpatched", "level": None}, after={"state": "patched"}, blockers=[{"tid": 7}])
    return entry


_JSON: List[Any] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    1.5,
    "",
    "x",
    "\ud800",
    [],
    [1],
    {},
    {"a": 1},
    [[["x", 1]]],
    10**30,
    1e308,
    [[]] * 9,
]
# What each key of a record can be besides; all others are refused
_ALSO: Dict[str, Callable[[Any], bool]] = {
    "plan": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "boot_id": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "problem": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "previous": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "run": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "rollout": lambda value: value is None or (isinstance(value, str) and value != "\ud800"),
    "kmp": lambda value: value is None,
    "deadline": lambda value: value is None or (_is_number(value) and value != 10**30),
    "began": lambda value: _is_number(value) and value != 10**30,
    "at": lambda value: _is_number(value) and value != 10**30,
    "fence": lambda value: value is None or (_is_number(value) and isinstance(value, int) and 0 <= value < 2**64),
    "back": lambda value: isinstance(value, bool),
    "changed": lambda value: isinstance(value, bool),
    "baseline": lambda value: value is None,
    "transition": lambda value: value is None,
    "steps": lambda value: value == [],
    "before": lambda value: value is None or isinstance(value, dict),
    "after": lambda value: value is None or isinstance(value, dict),
    "blockers": lambda value: value is None or value == [],
}


def make_journal(chance: Chance) -> Case:
    entry = _entry(chance)
    right, value = VALUE, dict(entry)
    text = json.dumps(entry)
    way = chance.randrange(10)
    if way in (3, 4, 5):
        key = chance.choice(sorted(entry))
        entry[key] = chance.choice(_JSON)
        text = json.dumps(entry)
        if key == "undo":
            value["undo"] = None
        elif _ALSO.get(key, lambda _value: False)(entry[key]):
            value[key] = entry[key]
        else:
            right = REFUSED
        if entry[key] == 10**30:
            right = REFUSED
    elif way == 6:
        right = REFUSED
        del entry[chance.choice(["schema", "phase", "kmp", "boot_id", "problem", "deadline"])]
        text = json.dumps(entry)
    elif way == 7:
        right = REFUSED
        bad = chance.choice(["NaN", "Infinity", "-Infinity", "9" * 5000, "[" * 100000, "{", "nul", '"\\ud8', "1" * 21])
        text = text[:-1] + f', "more": {bad}}}'
    elif way == 8:
        right = REFUSED
        text = json.dumps(chance.choice([each for each in _JSON if each != 10**30]))
    elif way == 9:
        right, text = REFUSED, _cut(chance, text.encode()).decode()
    elif chance.random() < 0.3:
        entry["later"] = value["later"] = chance.choice([None, "x", [1], {"a": {}}])
        text = json.dumps(entry)
    data = text.encode("utf-8")
    return Case(text[:900], lambda: _journal.Journal(_Files({_journal.PATH: data})).read(), (right,), value)


def make_taint(chance: Chance) -> Case:
    value = chance.choice([0, 1 << chance.randrange(60), chance.randrange(1 << 20)])
    path = "/proc/sys/kernel/tainted"
    if chance.random() < 0.4:
        text = chance.choice(["-7", "0x200", "1" * 21, "12 13", "\u0663", "x", ""] + [_nonsense_text(chance)])
        return Case(text[:80], lambda: taint.read_taint(_Files({path: text.encode()})), (REFUSED,))
    if chance.random() < 0.1:
        return Case(None, lambda: taint.read_taint(_Files({})), (UNKNOWN,))
    return Case(value, lambda: taint.read_taint(_Files({path: f"{value}\n".encode()})), (VALUE,), value)


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
        right, files[base + "/stack_order"] = REFUSED, _nonsense_text(chance).replace("-1", "x").encode()
    elif way == 1:
        right = UNKNOWN
        del files[base + "/enabled"]
    elif way == 2:
        right = REFUSED
        del files[base + "/transition"]
    elif way == 3:
        right, files["/sys/module/x/notes/.note.gnu.build-id"] = REFUSED, _nonsense(chance)[:70] + b"\xff"

    def parse() -> Any:
        patch = klp.Klp(_Files(files)).read_patch("x")
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
        patch = kgraft.Kgraft(_Files(files)).read_patch("a_b")
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
        result = blockers.find_blockers(_Files(files), klp.Klp(_Files(files)), True)
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
        text, lambda: signing.list_certificates(_Files({"/proc/keys": text})), (VALUE if value else UNKNOWN,), value
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


def make_module(chance: Chance) -> Case:
    target = chance.choice([factories.RELEASE, "5.14.21-150400.24.103-default"])
    identity = chance.choice([None, "ab" * 20, "0123456789abcdef"])
    signer = chance.choice([None, "Somebody's kernel key"])
    big = chance.random() < 0.3
    data = factories.module(
        target + " SMP mod_unload ", identity, "Y", "big" if big else "little", chance.random() < 0.3
    )
    table = struct.unpack_from(">Q" if big else "<Q", data, 0x28)[0]
    right: Tuple[str, ...] = (VALUE,)
    way = chance.randrange(8)
    if way == 0:
        right, data = (REFUSED,), _cut(chance, data) if table > 64 else data[: 64 + chance.randrange(200)]
    elif way == 1:
        right, data = (REFUSED,), data.replace(b"vermagic=", b"vermagik=")
    elif way == 2:
        right, data = (REFUSED,), data[:4] + chance.choice([b"\1", b"\0", b"\xff"]) + data[5:]
    elif way == 3:
        # Of a section: its place or its size, beyond the file
        right, at = (REFUSED,), table + 64 * chance.randrange(1, 4) + chance.choice([0x18, 0x20])
        data = data[:at] + b"\x7f" * 8 + data[at + 8 :]
    elif way == 4:
        right, data = (REFUSED, UNKNOWN), _nonsense(chance)
    data = factories.signed(data, signer) if signer and right == (VALUE,) else data
    packed = _pack(chance, data)
    if packed != data and right == (VALUE,) and chance.random() < 0.3:
        right, packed = (REFUSED,), packed[: chance.randrange(1, len(packed))]
    value = (identity, target, True, signer is not None, signer)

    def parse() -> Any:
        module = module_file.parse_module(_Files({}), packed, "/x.ko")
        return module.build_id, module.target_release, module.livepatch, module.signed, module.signer

    return Case(packed, parse, right, value)


def _archive(chance: Chance) -> Tuple[bytes, Dict[str, bytes]]:
    files = {"/etc/a": b"", "/usr/share/doc/" + "b" * chance.randrange(1, 200): b"b" * chance.randrange(500)}
    wanted = {
        f"/lib/modules/x/livepatch/l{number}.ko": bytes([number]) * chance.randrange(1, 3000)
        for number in range(chance.randrange(3))
    }
    files.update(wanted)
    return factories.cpio(files), wanted


def make_payload(chance: Chance) -> Case:
    data, value = _archive(chance)
    right: Tuple[str, ...] = (VALUE,)
    way = chance.randrange(8)
    if way == 0:
        right, data = (REFUSED,), _cut(chance, data, 16)
    elif way == 1:
        right, at = (REFUSED,), chance.choice([6, 54, 94])
        data = (
            data[:at]
            + chance.choice([b"-0000001", b"0x000001", b"1_000000", b" 0000001", b"zzzzzzzz"])
            + data[at + 8 :]
        )
    elif way == 2:
        right, data = (REFUSED,), data[:94] + chance.choice([b"ffffffff", b"00001001"]) + data[102:]
    elif way == 3:
        right, data = (REFUSED,), chance.choice([b"070707", b"070703", b"<html>"]) + data[6:]
    elif way == 4:
        right, data = (REFUSED,), _nonsense(chance)
    return Case(data, lambda: payload.extract_files(_Files({}, data), "/x.rpm", _kmp_names.is_module), right, value)


def make_initrd(chance: Chance) -> Case:
    first, in_first = _archive(chance)
    second, in_second = _archive(chance)
    packed = _pack(chance, second)
    data = first + bytes(4 * chance.randrange(200)) + packed
    right = VALUE
    if chance.random() < 0.3:
        right = REFUSED
        data = first + chance.choice([b"\1" + packed, packed[: len(packed) // 2]])
    value = sorted(path.rpartition("/")[2] for path in [*in_first, *in_second])
    return Case(data, lambda: initrd.list_modules(_Files({"/i": data}), "/i"), (right,), value)


def make_advisories(chance: Chance) -> Case:
    updates, value = [], []
    for number in range(chance.randrange(1, 4)):
        name = chance.choice(["kmp", "kmp", "bash"])
        cves = sorted({f"CVE-{chance.randrange(2000, 2030)}-{chance.randrange(1000, 9999)}" for _cve in range(3)})
        severity, rank = chance.choice([("low", "low"), ("Medium", "moderate"), ("dreadful", None), ("", None)])
        issued, day = chance.choice(
            [
                ("1772442000", "2026-03-02"),
                ("2026-03-02T09:00:00Z", "2026-03-02"),
                ("2026-13-41", None),
                ("99999999999", "5138-11-16"),
                ("\u0662\u0660\u0662\u0666-01-01", None),
                ("9" * 5000, None),
            ]
        )
        status = chance.choice(["stable", "retracted"])
        references = "".join(f"<reference type='cve' id='{cve}'/>" for cve in cves)
        evr = ("", "{}-1".format(chance.choice(["3", "9" * 5000])))
        updates.append(
            f"<update status='{status}'><id>A-{number}</id><severity>{severity}</severity><issued date='{issued}'/>"
            f"<title>{escape(chance.choice(['a & b', 'CVE-2020-1', '<x>']))}</title>"
            f"<references>{references}</references>"
            f"<pkglist><collection><package name='{name}' version='{evr[1][:-2]}' release='1'/></collection></pkglist>"
            "</update>"
        )
        if name == "kmp":
            value.append((f"A-{number}", status == "retracted", rank, day, tuple(cves), (("kmp", evr[1]),)))
    text = "<updates>{}</updates>".format("".join(updates))
    right: Tuple[str, ...] = (VALUE,)
    way = chance.randrange(9)
    if way == 0:
        right, text = (REFUSED,), _cut(chance, text.encode(), 1).decode("utf-8", "ignore")
    elif way == 1:
        right, text = (REFUSED,), chance.choice(["<!DOCTYPE updates>", "<!DOCTYPE updates [<!ENTITY a 'a'>]>"]) + text
    elif way == 2:
        right, text = (
            (REFUSED,),
            text.replace("<updates>", "<updates><update><package name='kmp' release='1'/></update>"),
        )
    elif way == 3:
        right, text = (
            (REFUSED,),
            text.replace("<updates>", "<updates>" + chance.choice(["<a>" * 60, "&b;", "\x1b", "</b>"])),
        )
    elif way == 4:
        right, text = (REFUSED,), chance.choice(["<html/>", "", "x", "<repomd/>"])
    path = chance.choice(["repodata/u.xml", "../../u.xml", "/repodata/../u.xml", "repodata/./u.xml"])
    place = "/r/repodata/u.xml" if path.startswith("repodata") else "/r/u.xml"
    packed = _pack(chance, text.encode())
    index = f"<repomd><data type='updateinfo'><location href='{path}'/></data></repomd>".encode()
    if right == (VALUE,) and chance.random() < 0.15:
        right, index = (REFUSED,), chance.choice([index[: chance.randrange(len(index))], b"<!DOCTYPE repomd>" + index])
    host = _Files({"/r/repodata/repomd.xml": index, place: packed, "/u.xml": b"outside"})
    data = (path, text[:900], index)
    return Case(data, lambda: advisories.read_advisories(host, [port.Metadata("lab", "/r")], {"kmp"}), right, value)


def make_repositories(chance: Chance) -> Case:
    lines, value = [], []
    for number in range(chance.randrange(1, 5)):
        enabled = chance.choice([None, "1", "0", "Yes", "true", "off", "", "9" * 5000, "%(x)s", "\u0661"])
        lines += [f"[r{number}]", "name = x", "baseurl=http://[::1]/$releasever/%(a)s"]
        lines += [] if enabled is None else [f"enabled={enabled}"]
        if enabled in (None, "1", "Yes", "true"):
            value.append(f"r{number}")
    right = VALUE
    way = chance.randrange(6)
    if way == 0:
        right = REFUSED
        lines.insert(0, chance.choice(["name=x", "garbage", "\0", "]"]))
    elif way == 1:
        right = REFUSED
        lines.insert(1, "a line without a value")
    elif way == 2:
        right = REFUSED
        lines += [f"[x{number}]" for number in range(1001)]
    elif way == 3:
        lines += ["", "# a comment", "; another"]
    text = "\n".join(lines).encode()
    host = _Files({"/etc/yum.repos.d/a.repo": text, "/etc/yum.repos.d/b.txt": b"garbage"})
    return Case(text[:900], lambda: repo_files.list_enabled(host, "/etc/yum.repos.d"), (right,), value)


GENERATORS: Dict[str, Callable[[Chance], Case]] = {
    "kernel log": make_record,
    "versions": make_versions,
    "levels": make_level,
    "journal": make_journal,
    "taint": make_taint,
    "klp": make_patch,
    "kgraft": make_kgraft,
    "threads": make_thread,
    "keys": make_keys,
    "releases": make_release,
    "notes": make_notes,
    "modules": make_module,
    "payloads": make_payload,
    "initrds": make_initrd,
    "advisories": make_advisories,
    "repositories": make_repositories,
}


def run(count: int, seed: int) -> Dict[str, Dict[str, int]]:
    """Make so many inputs in all, each generator in turn.

    :returns: how many of each outcome there were, by generator.
    """
    outcomes = {name: dict.fromkeys((VALUE, UNKNOWN, REFUSED), 0) for name in GENERATORS}
    names = list(GENERATORS)
    for number in range(count):
        name = names[number % len(names)]
        # So that one input can be made again
        case = GENERATORS[name](Chance(f"{seed} {number}"))
        try:
            value = case.parse()
            outcome = UNKNOWN if value is None else VALUE
        except Unmeasured as exc:
            value, outcome = exc, REFUSED
        except Exception as exc:
            raise AssertionError(f"{name}, {seed} {number}: {exc!r} for {case.data!r}") from exc
        assert outcome in case.right and (outcome != VALUE or value == case.value), (
            f"{name}, {seed} {number}: {outcome} {str(value)[:900]!r}, not {case.right} {str(case.value)[:900]!r}, for "
            f"{case.data!r}"
        )
        outcomes[name][outcome] += 1
    return outcomes

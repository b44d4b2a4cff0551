# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Boot loaders, mounts, what confines a system, and what Ansible keeps of a run. Python 3.6."""

import json
from typing import Any, Callable, Dict, List, Tuple

from ansible_collections.fleet.livepatch.plugins.module_utils import _run_result
from ansible_collections.fleet.livepatch.plugins.module_utils._kernel import boot, container
from tests.support.generators.case import REFUSED, UNKNOWN, VALUE, Case, Chance, Files, cut, nonsense_text


def _choose_from(chance: Chance, entries: List[Tuple[List[List[str]], str]]) -> Tuple[bytes, str]:
    """GRUB's environment, and the kernel that it chooses of these entries, empty where it names none of them."""
    path, release = chance.choice(entries)
    wanted = ">".join(chance.choice(names) for names in path)
    lines = ["# GRUB Environment Block", "kernelopts=root=/dev/vda saved_entry=0", "boot_success=1", "#" * 100]
    way = chance.randrange(8)
    if way == 0:
        wanted, release = "", entries[0][1]
    elif way == 1:
        bad = [
            "999",
            "no such",
            ">",
            wanted + ">",
            ">" + wanted,
            wanted + ">0",
            "-1",
            "\u0660",
            "0x0",
            wanted + " ",
            "9" * 5000,
        ]
        wanted = chance.choice(bad)
        # White space at the end of the file is lost, and what is left names an entry.
        wanted, release = (wanted + "x" if wanted.endswith(" ") else wanted), ""
    if chance.random() < 0.3 and wanted:
        lines += ["saved_entry=" + chance.choice(["0", "no such"]), "next_entry=" + wanted]
    else:
        lines += ["next_entry=", "saved_entry=" + wanted]
    return "\n".join(lines).encode(), release


def make_menu(chance: Chance) -> Case:
    """GRUB's menu: its entries have numbers in each menu of it."""
    entries: List[Tuple[List[List[str]], str]] = []
    lines = ['set default="${saved_entry}"', "function savedefault {", "  true", "}", "# menuentry 'x' {"]

    def add_menu(depth: int, above: List[List[str]]) -> None:
        pad = "  " * depth
        for number in range(chance.randrange(1, 4)):
            title = (
                chance.choice(["SLES", "a } b {", "Debian GNU/Linux, with 'menuentry", "x \u00e9"])
                + f" {depth}.{number}"
            )
            title = title if chance.random() < 0.5 else title.replace("'", "")
            mark = '"' if "'" in title else chance.choice("'\"")
            identifier = f"id-{len(lines)}-advanced"
            option = chance.choice([f" $menuentry_id_option '{identifier}'", f" --id {identifier}", ""])
            names = [str(number), title] + ([identifier] if option else [])
            if depth < 2 and chance.random() < 0.3:
                lines.append(f"{pad}submenu {mark}{title}{mark}{option} {{")
                add_menu(depth + 1, [*above, names])
            elif chance.random() < 0.2:
                lines.append(f"{pad}menuentry {mark}{title}{mark} --class os{option} {{")
                lines.append(
                    pad
                    + chance.choice(["  chainloader +1", "  linux16 /boot/memtest86+", "  # linux /boot/vmlinuz-9.9"])
                )
            else:
                release = "{}.{}.{}-default".format(*(chance.randrange(20) for _number in range(3)))
                lines.append(f"{pad}menuentry {mark}{title}{mark} --class os{option} {{")
                command = chance.choice(["linux", "linux16", "linuxefi", "\tlinux"])
                lines.append(f"{pad}  {command}  /boot/vmlinuz-{release} root=/dev/vda")
                lines.append(pad + "  initrd /boot/initrd-" + release)
                entries.append(([*above, names], release))
            lines.append(pad + "}")

    add_menu(0, [])
    if not entries:
        number = sum(line[:9] in ("menuentry", "submenu '", 'submenu "') for line in lines)
        lines += ["menuentry 'last' {", " linux /boot/vmlinuz-1.2.3", "}"]
        entries.append(([[str(number), "last"]], "1.2.3"))
    environment, release = _choose_from(chance, entries)
    folder = chance.choice(["/boot/grub2", "/boot/grub", "/boot/efi/EFI/sles"])
    files = {folder + "/grub.cfg": "\n".join(lines).encode(), folder + "/grubenv": environment}
    right = (VALUE,) if release else (REFUSED,)
    return Case(files, lambda: tuple(boot.find_next_boot(Files(files))), right, (release, "grub"))


def make_entries(chance: Chance) -> Case:
    """The entries of the Boot Loader Specification, the newest first."""
    numbers = sorted({chance.randrange(200) for _entry in range(chance.randrange(1, 5))}, reverse=True)
    entries: List[Tuple[List[List[str]], str]] = []
    files = {"/boot/loader/entries/README": b"linux /vmlinuz-99", "/boot/grub2/grub.cfg": b"blscfg\n"}
    for place, number in enumerate(numbers):
        release = f"5.14.0-{number}.1.el9.x86_64"
        name, title = f"0a1b-{release}", f"Red Hat ({release}) 9.4 \u00e9"
        fields = [
            f"title {title}",
            f"version {release}",
            f"linux\t/vmlinuz-{release}",
            "options root=/dev/vda ro",
            "# linux /x",
        ]
        chance.shuffle(fields)
        files[f"/boot/loader/entries/{name}.conf"] = "\n".join(fields).encode()
        entries.append(([[str(place), name, title]], release))
    environment, release = _choose_from(chance, entries)
    files["/boot/grub2/grubenv"] = environment
    if chance.random() < 0.1:
        release, files["/sys/kernel/kexec_loaded"] = "", b"1\n"
    right = (VALUE,) if release else (REFUSED,)
    return Case(files, lambda: tuple(boot.find_next_boot(Files(files))), right, (release, "bls"))


def make_mounts(chance: Chance) -> Case:
    """Whether the root is mounted read-only, None where nothing is; users mount what is not escaped where they like."""
    lines, value = ["proc /proc proc ro,nosuid 0 0"], None
    for _mount in range(chance.randrange(6)):
        odd = chance.choice(
            [
                "a\u2003/\u2003b",
                "x\u2028/dev/vda\u2003/\u2003ext4\u2003ro,x",
                "\x0c",
                "\x85",
                "\\040/\\040",
                "#",
                "\u00e9",
            ]
        )
        options, read_only = chance.choice(
            [("ro", True), ("rw,ro", True), ("rw,errors=remount-ro", False), ("rw", False)]
        )
        if chance.random() < 0.4:
            value = read_only
            lines.append(f"{odd} / ext4 {options} 0 0")
        else:
            lines.append(f"{odd} /home/u/{odd},ro fuse.a,ro {options} 0 0")
    host = Files({"/proc/mounts": "".join(line + "\n" for line in lines).encode()})

    def parse() -> Any:
        return None if value is None and not host.is_read_only("/") else host.is_read_only("/")

    return Case(lines, parse, (UNKNOWN,) if value is None else (VALUE,), value)


def make_confinement(chance: Chance) -> Case:
    """The variable of the first process is one of its own, and begins one."""
    kind = chance.choice(["lxc", "systemd-nspawn", "\u00e9", "x" * 300])
    variables = [
        b"PATH=/bin",
        b"xcontainer=podman",
        b"A=\ncontainer=podman",
        b"container_uuid=x",
        b"\xff=\xff",
        b"B=container=x",
    ]
    chance.shuffle(variables)
    variables = variables[: chance.randrange(len(variables))]
    known = chance.random() < 0.6
    if known:
        variables.insert(chance.randrange(len(variables) + 1), b"container=" + kind.encode())
    elif chance.random() < 0.3:
        variables.append(b"container=")
    end = chance.choice([b"\0", b""])
    files = {"/proc/1/environ": b"\0".join(variables) + end}
    right, value = (VALUE, f"container:{kind}") if known else (UNKNOWN, "")
    release = "6.1.0-56-default"
    if chance.random() < 0.2:
        right, value, files["/run/systemd/container"] = VALUE, "container:docker", b" docker\n"
    if chance.random() < 0.1:
        right, value, release = VALUE, "wsl", chance.choice(["5.15.1-microsoft-standard-WSL2", "4.4.0-19041-Microsoft"])
    return Case((files, release), lambda: container.detect_container(Files(files), release), (right,), value)


_RESULT: Dict[str, Any] = {"changed": True, "msg": "\u00e9", "blockers": [], "refused": False, "fenced": True}


_KILLED = {
    "failed": True,
    "not_begun": True,
    "msg": "its process ended before it changed anything: it was killed, or the host restarted",
}


def make_result(chance: Chance) -> Case:
    """What is kept of a detached run, None where it is damaged."""
    output: Any = {key: value for key, value in _RESULT.items() if key == "msg" or chance.random() < 0.6}
    output.update(chance.choice([{}, {"failed": True}, {"failed": False}, {"failed": "no such"}, {"failed": None}]))
    value = dict(output, failed=bool(output.get("failed")))
    output.update(invocation={"module_args": {}}, warnings=[])
    text, right = json.dumps(output), VALUE
    way = chance.randrange(8)
    if way == 0:
        right, text = UNKNOWN, cut(chance, text.encode()).decode()
    elif way == 1:
        right, text = (
            UNKNOWN,
            chance.choice(["[" * 100000, "{", "null", "7", '"changed"', '["msg"]', '{"run": 1}', text + "x"]),
        )
    elif way == 2:
        right, text = (
            UNKNOWN,
            chance.choice(["{}", "", " \n", "\0" + text, text[1:], "\ufeff" + text, nonsense_text(chance)]),
        )
    if not text:
        # Its process has ended, and the journal knows nothing of it
        right, value = VALUE, _KILLED
    host = Files({_run_result.build_path("run"): text.encode()})

    def parse() -> Any:
        return _run_result.wait_for_result(host, "run", 0.0)

    return Case(text[:900], parse, (right,), value)


GENERATORS: Dict[str, Callable[[Chance], Case]] = {
    "menus": make_menu,
    "boot entries": make_entries,
    "mounts": make_mounts,
    "confinements": make_confinement,
    "results": make_result,
}

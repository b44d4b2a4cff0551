# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that are a directory: what the patched host's code does is tried on them. Python 3.6."""

import base64
import errno
import fnmatch
import functools
import gzip
import hashlib
import os
import re
import shutil
import zlib
from html import escape
from typing import Any

from ansible_collections.fleet.livepatch.plugins.module_utils._errors import Unmeasured
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Completed, Host
from ansible_collections.fleet.livepatch.plugins.module_utils._packages import openpgp
from tests.support import factories
from tests.support.recordings import load, load_completed

_RELEASE = factories.RELEASE
_LEVEL_ONE = "1-150400.9.3.1"
_NAME = "kernel-livepatch-6_1_0-56-cloud-amd64"
_SIGNATURE = "RSA/SHA512, Mon Nov 23 17:58:31 2026, Key ID {}"
# RPM's flags of a dependency
_FLAGS = {"": 0, "<": 2, ">": 4, "=": 8, "<=": 10, ">=": 12}
LAB_KEY = "lab"
_BLOCK = re.compile("-----BEGIN .*?-----END [^\n]*", re.DOTALL)
# What is in a package's file as long as it is not all there
_CUT_OFF = "pack"


def signature(key: str) -> str:
    """What rpm prints of a signature with the key of `factories.public_key`."""
    return _SIGNATURE.format(factories.key_id(key))


def rpm_identity(name: str, evr: str, arch: str) -> Any:
    epoch, _colon, rest = evr.rpartition(":")
    version, _dash, release = rest.rpartition("-")
    return {"name": name, "epoch": epoch or "0", "version": version, "release": release, "arch": arch}


def rpm_record(fields: Any) -> str:
    """What rpm prints of a package: tuples are values, lists are rows of values, of which the middle one is a sign."""

    def value(text: str) -> str:
        return f"\t<string>{escape(text, quote=False)}</string>" if text else "\t<string/>"

    def row(values: Any) -> str:
        middle = f"<flags>{_FLAGS[values[1]]}</flags>" if len(values) == 3 else ""
        return f"<row>{middle.join(map(value, values[::2] if middle else values))}</row>"

    def text_of(name: str, field: Any) -> str:
        if isinstance(field, list):
            return "".join(map(row, field))
        if isinstance(field, tuple):
            return "".join(map(value, field))
        return field if name in ("epoch", "signature", "algorithm", "installed_at") else value(field)

    return "<package>{}</package>\n".format(
        "".join(f"<{name}>{text_of(name, field)}</{name}>" for name, field in fields.items())
    )


def _name_entry(text: str) -> str:
    """How rpm 4 calls the entry of a key, up to the release."""
    return "gpg-pubkey-" + openpgp.parse_public_keys(text)[0].fingerprint[-8:].lower()


def quoteattr(text: str) -> str:
    """An attribute of XML. xml.sax has it, and imports half of the library for it."""
    return f'"{escape(text)}"'


@functools.lru_cache(maxsize=None)
def _image(build_id: str, version: str) -> bytes:
    return factories.bzimage(gzip.compress(factories.vmlinux(build_id)), version)


class Directory(Host):
    """A host whose files are below a directory, whose tools answer from a table, and whose time is made."""

    byteorder = "little"
    machine = "x86_64"

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.now = 1000.0
        self.answers = {}  # type: Any
        self.calls = []  # type: Any
        self.environments = []  # type: Any
        self.filters = {}  # type: Any
        self.log = []  # type: Any
        self.slept = 0.0

    def put(self, path: str, content: Any = "") -> None:
        """A file, with its directories; a directory where the path ends with a slash."""
        target = self.resolve_path(path)
        if path.endswith("/"):
            os.makedirs(target, exist_ok=True)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as stream:
            stream.write(content if isinstance(content, bytes) else (content + "\n").encode())

    def remove(self, path: str) -> None:
        os.remove(self.resolve_path(path))

    def drop(self, path: str) -> None:
        shutil.rmtree(self.resolve_path(path), ignore_errors=True)

    def run(self, argv: Any, environment: Any = None, seconds: Any = None) -> Completed:
        """The answer whose key, a string of words, is the longest that all occurs in the command."""
        self.calls.append(list(argv))
        self.environments.append(environment)
        fitting = [key for key in self.answers if all(word in argv for word in key.split("|"))]
        if not fitting:
            raise Unmeasured(f"cannot run {argv[0]}: No such file or directory")
        answer: Any = self.answers[max(fitting, key=lambda key: len(key.split("|")))]
        return Completed(*answer)

    def have_filter(self, tool: str, unpack: Any) -> None:
        """A tool that unpacks: a function from all that it reads to the pieces that it prints."""
        self.put("/usr/bin/" + tool)
        os.chmod(self.resolve_path("/usr/bin/" + tool), 0o755)
        self.filters[tool] = unpack

    def pipe(self, argv: Any, source: Any, seconds: float) -> Any:
        self.calls.append(list(argv))
        try:
            yield from self.filters[argv[0]](b"".join(source))
        except (ValueError, zlib.error) as exc:
            raise Unmeasured(f"{argv[0]} failed with exit code 1") from exc

    def ran(self, tool: str) -> Any:
        return [call for call in self.calls if call[0] == tool or tool in call]

    def read_kernel_log(self) -> Any:
        return list(self.log)

    def wall_clock(self) -> float:
        return 1800000000.0 + self.now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0, "a loop that does not sleep never ends here"
        self.now += seconds
        self.slept += seconds
        assert self.slept < 10000, "waits for ever"


class Machine(Directory):
    """A small simulation of a lab host: a kernel with livepatch, zypper, rpm, insmod and rmmod."""

    release = _RELEASE
    kmp = _NAME

    def __init__(self, root: str, loaded: bool = False) -> None:
        """:param loaded: it was set up before, and what it was like then is put back by the caller."""
        super().__init__(root)
        if loaded:
            return
        notes, self.build_id = base64.b64decode(load("notes-6.1")["notes"]), load("notes-6.1")["build_id"]
        # By EVR: what the package says of itself. tag: the build ID that it was made for, None for no tag.
        # signer: of its module, None where that is not signed. seconds: how long its migration takes, None for ever.
        # back: the same of its reversal.
        self.levels = {}  # type: Any
        for evr in ("1-150400.9.3.1", "2-150400.2.1", "3-150400.2.1"):
            self.offer(evr)
        self.installed = []  # type: Any
        self.scripts_load = False
        self.lies = False  # zypper says that it installed, and did not
        self.locked = False
        self.cuts_off = False  # there is no room for what is downloaded
        self.moving = None  # type: Any
        self.put_tasks()
        self.put("/sys/kernel/livepatch/")
        self.put("/sys/kernel/notes", notes)
        self.put("/sys/kernel/security/lockdown", "[none] integrity confidentiality")
        self.put("/proc/version", factories.PROC_VERSION)
        self.put("/etc/zypp/locks", "type: package")
        self.put("/run/")
        # Whether packages are installed beside each other, or in place of each other
        self.multiversion = True
        # None: its file cannot be written
        self.locks = []  # type: Any
        # Whether dracut works, and whether packages' scripts run it
        self.dracut = False
        self.scripts_make_initrd = False
        # What the kernel says when it refuses a module
        self.says = ""
        # The kernel's package, None where no package owns its image
        self.package = {
            "evr": "6.1.0-56.1",
            "vendor": "the lab",
            "signature": signature(LAB_KEY),
            "digest": "",
            "provides": [("kernel", "=", "6.1.0-56"), ("kernel-cloud-amd64", "=", "6.1.0-56")],
        }  # type: Any
        # The trusted keys and their owners
        self.keys = {LAB_KEY: "the lab's key"}
        # Blocks of text that rpm has imported, and one that it imports besides, as if it had found it in the same file
        self.imported = []  # type: Any
        self.imports_besides = ""
        # What zypper says when a repository does not answer
        self.refresh_error = ""
        self.put("/usr/bin/zypper")
        os.chmod(self.resolve_path("/usr/bin/zypper"), 0o755)
        self.put("/etc/zypp/repos.d/lab.repo", "[lab]\nname=lab\nenabled=1\nbaseurl=http://192.0.2.1/main")
        self._refresh()
        self._put_image(factories.VERSION)

    def put_tasks(self) -> None:
        """A kernel that has just booted, and two of its tasks."""
        self.put("/proc/sys/kernel/osrelease", self.release)
        self.put("/proc/sys/kernel/tainted", "0")
        self.put("/proc/sys/kernel/random/boot_id", "5a0cf4f4-7e6f-4a57-a2f7-4a4d0f1b6c11")
        self.put("/proc/54/task/54/stat", "54 (kworker/1:2+events) D 2 0 0 0 -1 69238880 0 0")
        self.put("/proc/54/task/54/patch_state", "-1")
        self.put("/proc/99/task/99/stat", "99 (sshd) S 1 99 99 0 -1 4194560 0 0")
        self.put("/proc/99/task/99/patch_state", "-1")

    def become(self, release: str, build_id: str) -> None:
        """It runs another kernel."""
        self.release, self.build_id = release, build_id
        self.put("/proc/sys/kernel/osrelease", release)
        self.put("/sys/kernel/notes", factories.kernel_notes(build_id))
        self.put("/proc/version", factories.PROC_VERSION.replace(factories.RELEASE, release))
        self._put_image(factories.VERSION.replace(factories.RELEASE, release))

    def _put_image(self, version: str) -> None:
        image = _image(self.build_id, version)
        self.put("/boot/vmlinuz-" + self.release, image)
        self.package["digest"] = hashlib.sha256(image).hexdigest()

    def offer(self, evr: str, **what: Any) -> None:
        self.levels[evr] = dict(
            {
                "tag": self.build_id,
                "target": self.release,
                "seconds": 1.5,
                "back": 1.0,
                "refused": "",
                "module_id": evr[:1] * 40,
                # "good", "unsigned", "unknown_key" or "bad"
                "signature": "good",
                "vendor": "the lab",
                "requires": [("kernel-cloud-amd64", "=", "6.1.0-56")],
                "arch": "x86_64",
                "name": self.kmp,
                # What else a transaction would do: the summary's groups and their packages
                "besides": (),
                "locked": False,
                "installed_at": 0,
                "modules": 1,
                "signer": None,
                # Installed is what was built for this release, whatever was downloaded
                "installs": None,
            },
            **what,
        )

    def file(self, evr: str) -> str:
        return "/lib/modules/{}/livepatch/livepatch-{}.ko".format(self.release, evr.replace(".", "_"))

    def module(self, evr: str) -> str:
        return "livepatch_" + evr.replace(".", "_").replace("-", "_")

    def active(self) -> Any:
        return self.list_names("/sys/kernel/livepatch")

    def loaded(self) -> Any:
        return self.list_names("/sys/module")

    # What the test prepares

    def have(self, evr: str) -> None:
        """The package is installed."""
        self.installed.append(evr)
        self.levels[evr]["installed_at"] = int(self.wall_clock())
        self.put(self.file(evr), self._module_file(evr, True))

    def advise(self, text: str, repository: str = "lab") -> None:
        """The repository has advisories: what is in its updateinfo."""
        folder = f"/var/cache/zypp/raw/{repository}/repodata/"
        self.put(f"/etc/zypp/repos.d/{repository}.repo", f"[{repository}]\nname={repository}\nenabled=1")
        self.put(folder + "0abc-updateinfo.xml.gz", gzip.compress(text.encode()))
        index = "<data type='updateinfo'><location href='repodata/0abc-updateinfo.xml.gz'/></data>"
        self._index(repository, f"<repomd xmlns='http://linux.duke.edu/metadata/repo'>{index}</repomd>")

    def _module_file(self, evr: str, installed: bool = False) -> bytes:
        level = self.levels[evr]
        target = level["installs"] if installed and level["installs"] else level["target"]
        module = factories.module(target + " SMP preempt mod_unload modversions ", level["module_id"])
        return factories.signed(module, level["signer"]) if level["signer"] else module

    def have_active(self, evr: str) -> None:
        """Its module is active, and has been for long."""
        self._appear(evr)
        self.put(f"/sys/kernel/livepatch/{self.module(evr)}/transition", "0")

    def have_leftover(self, evr: str, references: int = 0) -> None:
        self.put(f"/sys/module/{self.module(evr)}/refcnt", str(references))

    def start(self, evr: str) -> None:
        """Its migration begins now."""
        self._appear(evr)
        self.moving = [evr, True, self.levels[evr]["seconds"], self.clock()]
        self._states("0")
        self._say(f"livepatch: enabling patch '{self.module(evr)}'")
        self._say(f"livepatch: '{self.module(evr)}': starting patching transition")

    # The kernel

    def _say(self, text: str) -> None:
        self.log.append(f"5,{100 + len(self.log)},{int(self.clock() * 1e6)},-;{text}\n")

    def _appear(self, evr: str) -> None:
        base = "/sys/kernel/livepatch/" + self.module(evr)
        self.put(base + "/enabled", "1")
        self.put(base + "/transition", "1")
        self.put(base + "/vmlinux/patched", "1")
        self.put(base + "/vmlinux/cmdline_proc_show,1/")
        self.put(f"/sys/module/{self.module(evr)}/refcnt", "1")
        self.put(
            f"/sys/module/{self.module(evr)}/notes/.note.gnu.build-id",
            factories.note(b"GNU\0", 3, bytes.fromhex(self.levels[evr]["module_id"])),
        )

    def _states(self, sshd: str) -> None:
        """The worker is what a migration waits for; sshd has gone where it should."""
        target = {"0": "1", "1": "0", "-1": "-1"}[sshd]
        self.put("/proc/54/task/54/patch_state", sshd)
        self.put("/proc/99/task/99/patch_state", target)

    def write(self, path: str, text: str) -> None:
        assert path.endswith("/enabled"), path
        if self.moving is None:
            self._disable(path, text)
            return
        evr, forward, _seconds, _started = self.moving
        assert path.split("/")[-2] == self.module(evr)
        assert text == ("0" if forward else "1"), "EINVAL: the value that it has"
        self.put(path, text)
        self.moving = [evr, not forward, self.levels[evr]["back" if forward else "seconds"], self.clock()]
        self._states("0" if not forward else "1")
        self._say(f"livepatch: '{self.module(evr)}': starting unpatching transition")

    def _disable(self, path: str, text: str) -> None:
        """A write to a patch that does not move: it can only be disabled (Linux since 5.1)."""
        module = path.split("/")[-2]
        if text != "0" or self.read_text(path) != "1":
            raise OSError(errno.EINVAL, "Invalid argument")
        evr = next(one for one in self.levels if self.module(one) == module)
        self.put(path, "0")
        self.put(f"/sys/kernel/livepatch/{module}/transition", "1")
        self.moving = [evr, False, self.levels[evr]["back"], self.clock()]
        self._states("1")
        self._say(f"livepatch: '{module}': starting unpatching transition")

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.advance()

    def advance(self) -> None:
        """The transition ends if its time has come."""
        if self.moving is None:
            return
        evr, forward, needs, started = self.moving
        if needs is None or self.clock() - started < needs:
            return
        self.moving = None
        self._states("-1")
        module = self.module(evr)
        if forward:
            self.put(f"/sys/kernel/livepatch/{module}/transition", "0")
            gone = [name for name in self.active() if name != module]
            self._say(f"livepatch: '{module}': patching complete")
        else:
            gone = [module]
            self._say(f"livepatch: '{module}': unpatching complete")
        for name in gone:
            self.drop("/sys/kernel/livepatch/" + name)
            self.put(f"/sys/module/{name}/refcnt", "0")

    def _insmod(self, path: str) -> Completed:
        if self.read_bytes(path) is None:
            return Completed(1, "", f"insmod: ERROR: could not load module {path}: No such file or directory")
        evr = next(one for one in self.levels if self.file(one) == path)
        error = self.levels[evr]["refused"]
        if self.module(evr) in self.loaded():
            error = "File exists"
        elif self.moving is not None:
            error = "Device or resource busy"
        if error:
            self._say(self.says or f"livepatch: failed to enable patch '{self.module(evr)}'")
            return Completed(1, "", f"insmod: ERROR: could not insert module {path}: {error}\n")
        self.start(evr)
        return Completed(0, "", "")

    # The tools

    def _refresh(self) -> None:
        self._index("lab", "<repomd/>")

    def _refresh_repositories(self, wanted: str) -> Completed:
        """:param wanted: one of them, or the word refresh for all."""
        if self.refresh_error:
            return Completed(4, f"<stream><message type='error'>{escape(self.refresh_error)}</message></stream>", "")
        if wanted == "refresh":
            self._refresh()
        else:
            self._index(wanted, "<repomd/>")
        return Completed(0, "<stream><message type='info'>All repositories have been refreshed.</message></stream>", "")

    def _index(self, repository: str, text: str) -> None:
        index = f"/var/cache/zypp/raw/{repository}/repodata/repomd.xml"
        self.put(index, text)
        os.utime(self.resolve_path(index), (self.wall_clock(), self.wall_clock()))

    def run(self, argv: Any, environment: Any = None, seconds: Any = None) -> Completed:
        self.calls.append(list(argv))
        tool, last = argv[0], argv[-1]
        if tool == "zypper":
            if self.locked:
                return load_completed("zypper-6.1-offered-locked")
            if "refresh" in argv:
                return self._refresh_repositories(last)
            if "--dry-run" in argv:
                return self._preview(last, "remove" if "remove" in argv else "install")
            if "download" in argv:
                return self._download(last)
            if "repos" in argv:
                return Completed(0, "<stream><repo-list><repo alias='lab' name='lab'/></repo-list></stream>", "")
            if "addlock" in argv or "removelock" in argv:
                if self.locks is None:
                    return Completed(1, "<stream><message type='error'>no space left on device</message></stream>", "")
                (self.locks.append if "addlock" in argv else self.locks.remove)(last)
                entry = "type: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: {}"
                self.put("/etc/zypp/locks", "\n\n".join(["type: package", *map(entry.format, self.locks)]))
                return Completed(0, "<stream/>", "")
            if "locks" in argv:
                return self._locks(environment) if "--solvables" in argv else self._lock_names()
            if "remove" in argv:
                return self._remove(last)
            if "install" in argv and self._is_held(environment):
                return Completed(4, "<stream><message type='error'>it is locked</message></stream>", "")
            return self._install(argv) if "install" in argv else self._search(argv)
        if tool == "rpm":
            return self._rpm(argv)
        if tool == "rpmkeys":
            return Completed(1, "", "")
        if tool == "insmod":
            return self._insmod(last)
        if tool == "dracut":
            return self.make_initrd()
        if tool == "systemctl":
            return self._service(argv[1])
        if tool in ("dnf", "SUSEConnect"):
            raise Unmeasured(f"cannot run {tool}: No such file or directory")
        assert tool == "rmmod", argv
        if self.read_text(f"/sys/module/{last}/refcnt") != "0":
            return Completed(1, "", f"rmmod: ERROR: Module {last} is in use\n")
        self.drop("/sys/module/" + last)
        return Completed(0, "", "")

    def _rpm(self, argv: Any) -> Completed:
        last = argv[-1]
        if "-Kv" in argv:
            if self.read_text(last) == _CUT_OFF:
                return load_completed("rpm-6.1-check-damaged")
            return load_completed("rpm-6.1-check-" + self._of(last)["signature"].replace("bad", "damaged"))
        if "-qp" in argv:
            return Completed(0, self._record(self._evr_of(last)), "")
        if last == "gpg-pubkey":
            return self._list_keys("<version>" in argv[argv.index("--qf") + 1])
        if "--import" in argv:
            for text in [*_BLOCK.findall(self.read_text(last) or ""), *filter(None, [self.imports_besides])]:
                if text not in self.imported:
                    self.imported.append(text)
            return Completed(0, "", "")
        if "-e" in argv:
            self.imported = [text for text in self.imported if not last.startswith(_name_entry(text))]
            return Completed(0, "", "")
        if "-qf" in argv:
            if self.package is None:
                return load_completed("rpm-6.1-unowned")
            fields = rpm_identity("kernel-cloud-amd64", self.package["evr"], "x86_64")
            fields.update(
                vendor=self.package["vendor"],
                signature=self.package["signature"] or "(none)",
                provides=self.package["provides"],
                algorithm="8",
                digests=[("/boot/vmlinuz-" + self.release, self.package["digest"])],
            )
            return Completed(0, rpm_record(fields), "")
        records = [self._record(evr) for evr in self.installed if self.levels[evr]["name"] == last]
        return Completed(0, "".join(records), "") if records else load_completed("rpm-6.1-none")

    def _list_keys(self, with_names: bool) -> Completed:
        """Each block that was imported is an entry of its own, as with rpm 4."""
        texts = [factories.public_key(seed, owner) for seed, owner in self.keys.items()] + self.imported
        if not texts:
            return Completed(1, "package gpg-pubkey is not installed\n", "")
        rows = [{"key": text} for text in texts]  # type: Any
        if with_names:
            rows = [{"version": _name_entry(text)[-8:], "release": "65000000", "key": text} for text in texts]
        return Completed(0, "".join(map(rpm_record, rows)), "")

    def _evr_of(self, path: str) -> str:
        evr: str = next(evr for evr in self.levels if f"-{evr}." in path)
        return evr

    def _of(self, path: str) -> Any:
        return self.levels[self._evr_of(path)]

    def pipe(self, argv: Any, source: Any, seconds: float) -> Any:
        if argv[0] != "rpm2cpio":
            yield from super().pipe(argv, source, seconds)
            return
        self.calls.append(list(argv))
        evr = self._evr_of(argv[1])
        paths = [self.file(evr), self.file(evr) + ".xz"][: self.levels[evr]["modules"]]
        archive = factories.cpio(
            dict([("/usr/share/doc/README", b"hello"), *((path, self._module_file(evr)) for path in paths)])
        )
        for at in range(0, len(archive), 100):
            yield archive[at : at + 100]

    def _wanted(self, words: str) -> str:
        """The EVR of a package that is called by its file, or as NAME.ARCH=EVR."""
        return self._evr_of(words) if words.endswith(".rpm") else words.partition("=")[2]

    def _preview(self, wanted: str, action: str) -> Completed:
        evr = self._wanted(wanted)
        row = "<solvable type='package' name={} edition={} arch={}/>"
        level = self.levels[evr]
        groups = [(action, level["name"], evr, level["arch"]), *level["besides"]]
        told = "".join("<to-{0}>{1}</to-{0}>".format(one[0], row.format(*map(quoteattr, one[1:]))) for one in groups)
        return Completed(0, f"<stream><install-summary>{told}</install-summary></stream>", "")

    def package_file(self, evr: str) -> str:
        level = self.levels[evr]
        return "/var/cache/zypp/packages/lab/{}-{}.{}.rpm".format(level["name"], evr, level["arch"])

    def have_cut_off(self, evr: str) -> None:
        """Whoever downloaded it was killed."""
        self.put(self.package_file(evr), _CUT_OFF)

    def _download(self, wanted: str) -> Completed:
        evr = self._wanted(wanted)
        path = self.package_file(evr)
        # A tool may go by what is there already.
        if self.read_bytes(path) is None:
            self.put(path, _CUT_OFF if self.cuts_off else "packed")
        if self.cuts_off:
            return Completed(1, "<stream><message type='error'>No space left on device</message></stream>", "")
        return Completed(
            0, f"<stream><download-result><localfile path={quoteattr(path)}/></download-result></stream>", ""
        )

    def _is_held(self, environment: Any) -> bool:
        """Whether an entry of the locks that zypper goes by holds the KMPs."""
        settings = self.read_text((environment or {}).get("ZYPP_CONF", "/etc/zypp/zypp.conf")) or ""
        path = (
            [line[17:] for line in settings.split("\n") if line.startswith("locksfile.path = ")] or ["/etc/zypp/locks"]
        )[-1]
        names = [line[15:] for line in (self.read_text(path) or "").split("\n") if line.startswith("solvable_name: ")]
        return any(fnmatch.fnmatchcase(self.kmp, name) for name in names)

    def _locks(self, environment: Any) -> Completed:
        held = self._is_held(environment)
        rows = [
            "<match kind='package' name={} edition={}/>".format(quoteattr(self.levels[evr]["name"]), quoteattr(evr))
            for evr in self.levels
            if self.levels[evr]["locked"] or held
        ]
        return Completed(0, "<stream><locks>{}</locks></stream>".format("".join(rows)), "")

    def _lock_names(self) -> Completed:
        rows = "".join(f"<lock number='1'><name>{name}</name></lock>" for name in self.locks or ())
        return Completed(0, f"<stream><locks>{rows}</locks></stream>", "")

    def _search(self, argv: Any) -> Completed:
        words = argv[-1].split(" = ")
        rows = []
        for evr in sorted(self.levels):
            tag = self.levels[evr]["tag"]
            if "--provides" in argv and (tag is None or (len(words) == 2 and words[1] != tag)):
                continue
            row = {
                "status": "installed" if evr in self.installed else "not-installed",
                "name": self.levels[evr]["name"],
                "edition": evr,
            }
            row.update(kind="package", arch=self.levels[evr]["arch"], repository="lab")
            rows.append("<solvable {}/>".format(" ".join(f"{key}={quoteattr(row[key])}" for key in sorted(row))))
        return Completed(0 if rows else 104, "<stream>{}</stream>".format("".join(rows)), "")

    def _install(self, argv: Any) -> Completed:
        evr = self._wanted(argv[-1])
        assert self.read_bytes(argv[-1]) is not None, "what is installed was downloaded and examined"
        if not self.lies:
            if not self.multiversion:
                assert "--oldpackage" in argv or all(evr >= one for one in self.installed), "zypper would not do that"
                for one in list(self.installed):
                    self._gone(one)
            self.have(evr)
            if self.scripts_make_initrd:
                self.make_initrd()
            if self.scripts_load:
                self._insmod(self.file(evr))
        return Completed(0, "<stream/>", "")

    def make_initrd(self) -> Completed:
        if not self.dracut:
            return Completed(1, "", "dracut: no space left on device\n")
        folder = os.path.dirname(self.file(_LEVEL_ONE))
        omit = self.read_text("/etc/dracut.conf.d/99-fleet-livepatch-hold.conf")
        found = {} if omit else {f"{folder}/{name}": b"module" for name in self.list_names(folder)}
        archive = factories.cpio({"/early": b"microcode"}) + b"\0" * 8
        self.put(
            "/boot/initrd-" + self.release, archive + gzip.compress(factories.cpio(dict({"/init": b"x"}, **found)))
        )
        return Completed(0, "", "")

    def have_service(self) -> None:
        """What loads modules at boot on Red Hat's systems."""
        self.put("/usr/lib/systemd/system/kpatch.service")
        self.put("/etc/systemd/system/multi-user.target.wants/")
        self._service("enable")

    def _service(self, verb: str) -> Completed:
        link = self.resolve_path("/etc/systemd/system/multi-user.target.wants/kpatch.service")
        if os.path.lexists(link):
            os.remove(link)
        if verb == "enable":
            os.symlink("/usr/lib/systemd/system/kpatch.service", link)
        return Completed(0, "", "")

    def service_enabled(self) -> bool:
        return "kpatch.service" in self.list_names("/etc/systemd/system/multi-user.target.wants")

    def _remove(self, wanted: str) -> Completed:
        self._gone(self._wanted(wanted))
        return Completed(0, "<stream/>", "")

    def _gone(self, evr: str) -> None:
        self.installed.remove(evr)
        self.remove(self.file(evr))

    def _record(self, evr: str) -> str:
        changes = [f"- Fix for CVE-2099-000{number} (x)" for number in range(int(evr[0]), 1, -1)]
        level = self.levels[evr]
        fields = rpm_identity(level["name"], evr, level["arch"])
        tags = [("livepatch-target(build-id)", "=", level["tag"])] if level["tag"] else []
        fields.update(
            vendor=level["vendor"],
            signature="(none)" if level["signature"] == "unsigned" else signature(level.get("key", LAB_KEY)),
            requires=level["requires"],
            provides=[(level["name"], "=", evr), *tags],
            files=[(os.path.dirname(self.file(evr)),), (self.file(evr),)],
            changelog=[(change,) for change in changes + ["- Initial livepatch"]],
            digests=("digest of " + evr,),
            installed_at=str(level["installed_at"]) if evr in self.installed else "",
        )
        return rpm_record(fields)

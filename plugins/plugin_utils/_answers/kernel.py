# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The block ``kernel`` of an answer. PRIVATE to the collection. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.fleet.livepatch.plugins.plugin_utils._answers import fields

_IMAGE = fields.mapping(
    {
        "path": fields.optional(fields.path),
        "build_id": fields.optional(fields.build_id),
        "version": fields.optional(fields.text()),
        "matches_running": fields.optional(fields.boolean),
        "basis": fields.optional(fields.choice("build_id", "version")),
    }
)
_TAINT = fields.mapping({"value": fields.integer(), "flags": fields.list_of(fields.text(20), 64)})
_NEXT_BOOT = fields.mapping(
    {
        # Whatever the boot loader's configuration names
        "release": fields.text(200),
        "basis": fields.choice("bls", "grub", "extlinux", "link", "newest_installed"),
    }
)
release = fields.word(r"[A-Za-z0-9][\w.+~@:=-]*", 128, "a kernel's release")
package = fields.mapping({"name": fields.package_name, "evr": fields.evr, "arch": fields.arch})
block = fields.mapping(
    {
        "release": release,
        "version": fields.text(100),
        "arch": fields.arch,
        "flavor": fields.optional(fields.word(r"[\w.+~@:=-]+", 128, "a kernel's flavor")),
        "build_id": fields.optional(fields.build_id),
        "package": fields.optional(package),
        "image": _IMAGE,
        "proc_version": fields.optional(fields.text()),
        "confinement": fields.optional(fields.text(100)),
        "boot_id": fields.optional(fields.boot_id),
        "livepatch_supported": fields.boolean,
        "mechanism": fields.optional(fields.choice("klp", "kgraft")),
        "taint": fields.optional(_TAINT),
        "lockdown": fields.optional(fields.word(r"\w+", 40, "a mode of lockdown")),
        "module_signature_enforced": fields.optional(fields.boolean),
        "next_boot": fields.optional(_NEXT_BOOT),
        "reboot_pending": fields.optional(fields.boolean),
        "unmeasured": fields.reasons,
    }
)


@dataclasses.dataclass(frozen=True)
class Kernel:
    """The running kernel, as far as the control node decides by it."""

    release: str
    arch: str
    flavor: str | None = None
    build_id: str | None = None
    boot_id: str | None = None

    @classmethod
    def from_block(cls, parsed: t.Mapping[str, t.Any]) -> Kernel:
        return cls(**{field.name: parsed[field.name] for field in dataclasses.fields(cls)})

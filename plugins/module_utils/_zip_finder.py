# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the collection's code in the archive that Ansible sends. PRIVATE to the collection: it may change at any time.

Python compiles a module in an archive twice: before it is loaded, only to learn the name of its file, and when it is
loaded (https://github.com/python/cpython/issues/141276). Ansible's archives hold no byte code, so that a host compiles
the modules each time, which is most of what their start costs. This finder knows the name without compiling anything.
"""

import importlib.util
import os
import pkgutil
import sys
import zipimport
from importlib.machinery import ModuleSpec
from typing import Any, Optional, Sequence

_PREFIX = __name__.rpartition(".")[0] + "."


class ZipFinder:
    """Finds what is beside this module, for ``sys.meta_path``."""

    def find_spec(self, fullname: str, path: Optional[Sequence[str]], _target: Any = None) -> Optional[ModuleSpec]:
        """Find a module of the collection; None leaves it to Python, which also reports what is missing."""
        if not fullname.startswith(_PREFIX) or not path:
            return None
        importer = pkgutil.get_importer(path[0])
        if not isinstance(importer, zipimport.zipimporter):
            return None
        try:
            file = "/__init__.py" if importer.is_package(fullname) else ".py"
        except zipimport.ZipImportError:
            return None
        location = os.path.join(path[0], fullname.rpartition(".")[2] + file)
        return importlib.util.spec_from_file_location(fullname, location, loader=importer)


def install() -> None:
    """Have Python ask this finder first, where the collection is run from an archive: not on the control node."""
    if isinstance(pkgutil.get_importer(os.path.dirname(__file__)), zipimport.zipimporter):
        sys.meta_path.insert(0, ZipFinder())

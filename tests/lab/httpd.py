# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository server: a process of its own, so that tests can end it as a mirror's outage would.

usage: httpd.py FOLDER PORT RECORD

The file RECORD gets pid and port once the port is ours: it is not written where somebody else has the port.
"""

from __future__ import annotations

import functools
import http.server
import json
import os
import sys
from pathlib import Path


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files over connections that stay open: package managers ask for many small ones."""

    protocol_version = "HTTP/1.1"


class Server(http.server.ThreadingHTTPServer):
    """A server that has its port for itself, which not all versions of Python insist on."""

    allow_reuse_port = False


def main(folder: str, port: str, record: str) -> None:
    """Serve until killed."""
    server = Server(("127.0.0.1", int(port)), functools.partial(Handler, directory=folder))
    new = Path(record + ".new")
    new.write_text(json.dumps({"pid": os.getpid(), "port": int(port)}))
    new.rename(record)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])

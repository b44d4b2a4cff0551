# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repository server: a process of its own, so that tests can end it as a mirror's outage would.

usage: httpd.py FOLDER PORT
"""

from __future__ import annotations

import functools
import http.server
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files over connections that stay open: package managers ask for many small ones."""

    protocol_version = "HTTP/1.1"


def main(folder: str, port: str) -> None:
    """Serve until killed."""
    handler = functools.partial(Handler, directory=folder)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])

# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A web server on loopback that says what a test wants."""

from __future__ import annotations

import contextlib
import http.server
import threading
import typing as t
from collections.abc import Callable, Iterator


class Asked(t.NamedTuple):
    """A request. Headers are named in any case."""

    method: str
    path: str
    headers: t.Mapping[str, str]
    body: bytes


@contextlib.contextmanager
def served(answer: Callable[[Asked], tuple[int, str]]) -> Iterator[str]:
    """The URL of a server that answers with the status and the text that the function says."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def _reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, text = answer(Asked(self.command, self.path, t.cast("t.Mapping[str, str]", self.headers), body))
            with contextlib.suppress(OSError):  # whoever asked waits no longer
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _reply  # noqa: N815 (http.server looks for these names)

        def log_message(self, *_arguments: object) -> None:
            """Nothing: who asks looks at the answers."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

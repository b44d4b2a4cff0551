# Copyright (c) 2026 fleet.livepatch contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import http.server
import threading
import time
from typing import Any

import pytest

from ansible_collections.fleet.livepatch.plugins.module_utils import _health_checks
from ansible_collections.fleet.livepatch.plugins.module_utils._errors import BadOption
from ansible_collections.fleet.livepatch.plugins.module_utils._host import Host


def _run(host: Any, check_mode: bool = False, timeout: int = 5, **what: Any) -> Any:
    wanted = dict({"commands": [], "urls": [], "services": [], "timeout": timeout}, **what)
    found = _health_checks.run_health_checks(host, _health_checks.parse_health_checks(wanted), check_mode)
    assert len(found) == sum(len(each) for each in what.values())
    return found[0] if len(found) == 1 else found


# Commands, which really run


@pytest.mark.parametrize(
    "command, passed, text",
    [
        ("true", True, "exit code 0"),
        ("false", False, "exit code 1"),
        ("echo all  is well", True, "exit code 0: all is well"),
        ("sh -c 'echo one; echo two; exit 3'", False, "exit code 3: two"),
        ("sh -c 'echo out; echo err >&2; false'", False, "exit code 1: err"),
        # Nothing is done by a shell that was not asked for
        ("echo $HOME; false", True, "exit code 0: $HOME; false"),
        ("/no/such/command -v", False, "cannot run /no/such/command: No such file or directory"),
        ("sh -c 'sleep 60 & wait'", False, "sh took longer than 1 s"),
    ],
)
def test_command(tmp_path: Any, command: str, passed: bool, text: str) -> None:
    told = _run(Host(str(tmp_path)), commands=[command], timeout=1)
    assert (told["kind"], told["passed"], told["text"]) == ("command", passed, text)


def test_what_takes_too_long_is_killed_with_its_children(tmp_path: Any) -> None:
    _run(Host(str(tmp_path)), commands=[f"sh -c 'sleep 61 & echo $! > {tmp_path}/child; wait'"], timeout=1)
    child = (tmp_path / "child").read_text().strip()
    for _attempt in range(50):
        if _state(child) in (None, "Z"):
            return
        time.sleep(0.02)
    pytest.fail("it still runs")


def _state(pid: str) -> Any:
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0]
    except OSError:
        return None


def test_text_is_short(tmp_path: Any) -> None:
    assert len(_run(Host(str(tmp_path)), commands=["echo " + "x" * 1000])["text"]) == 160


def test_commands_are_not_run_in_check_mode(tmp_path: Any) -> None:
    told = _run(Host(str(tmp_path)), check_mode=True, commands=[f"touch {tmp_path}/touched"])
    assert (told["passed"], told["text"]) == (None, "commands are not run in check mode")
    assert not (tmp_path / "touched").exists()


# URLs, of a server on loopback


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        kind = self.path[1:]
        if kind == "silent":
            self.server.stop.wait(5)  # type: ignore[attr-defined]
        elif kind == "cut":
            self.wfile.write(b"HTTP/1.1 2")
        elif kind == "other":
            self.wfile.write(b"SSH-2.0-OpenSSH\r\n")
        else:
            self.send_response(int(kind))
            self.send_header("Location", "/500")
            self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server() -> Any:
    class Server(http.server.HTTPServer):
        stop = threading.Event()

    made = Server(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{made.server_address[1]}"
    made.stop.set()
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.mark.parametrize(
    "path, passed, text",
    [
        ("200", True, "HTTP status 200"),
        ("204", True, "HTTP status 204"),
        ("302", True, "HTTP status 302"),
        ("404", False, "HTTP status 404"),
        ("500", False, "HTTP status 500"),
        ("silent", False, "no answer: timed out"),
        ("cut", False, "no answer: "),
        ("other", False, "no answer: "),
    ],
)
def test_url(server: str, path: str, passed: bool, text: str) -> None:
    told = _run(None, urls=[f"http://{server}/{path}"], timeout=1)
    assert (told["kind"], told["passed"]) == ("url", passed)
    assert told["text"].startswith(text)


def test_nobody_listens(server: str) -> None:
    told = _run(None, urls=["http://127.0.0.1:1/"])
    assert (told["passed"], told["text"]) == (False, "no answer: [Errno 111] Connection refused")


def test_no_certificate(server: str) -> None:
    assert _run(None, urls=[f"https://{server}/200"], timeout=1)["passed"] is False


# Services


@pytest.mark.parametrize(
    "answer, passed, text",
    [
        ((0, "active\n", ""), True, "active"),
        ((3, "inactive\n", ""), False, "inactive"),
        ((3, "failed\n", ""), False, "failed"),
        ((3, "activating\n", ""), False, "activating"),
        ((4, "inactive\n", ""), False, "inactive"),
        (
            (
                1,
                "",
                "System has not been booted with systemd as init system.\nFailed to connect to bus: Host is down\n",
            ),
            False,
            "Failed to connect to bus: Host is down",
        ),
        ((1, "", ""), False, "systemctl exited with 1"),
    ],
)
def test_service(host: Any, answer: Any, passed: bool, text: str) -> None:
    host.answers["systemctl|is-active|--|nginx.service"] = answer
    told = _run(host, services=["nginx.service"])
    assert told == {"kind": "service", "name": "nginx.service", "passed": passed, "text": text}


def test_no_systemd(host: Any) -> None:
    told = _run(host, services=["nginx"])
    assert (told["passed"], told["text"]) == (False, "cannot run systemctl: No such file or directory")


def test_all_are_looked_at(host: Any, server: str) -> None:
    host.answers["systemctl|is-active"] = (0, "active", "")
    host.answers["false"] = (1, "", "")
    told = _run(host, commands=["false"], urls=[f"http://{server}/200"], services=["a", "b"])
    assert [(one["kind"], one["passed"]) for one in told] == [
        ("command", False),
        ("url", True),
        ("service", True),
        ("service", True),
    ]


@pytest.mark.parametrize(
    "what, words",
    [
        ({"commands": ["echo 'x"]}, "cannot be split into words: No closing quotation"),
        ({"commands": [" "]}, "one of them is empty"),
        ({"urls": ["file:///etc/passwd"]}, "is not an HTTP URL"),
        ({"urls": ["localhost:8080/health"]}, "is not an HTTP URL"),
        ({"urls": ["http://"]}, "is not an HTTP URL"),
        ({"urls": ["http://x:port/"]}, "is not an HTTP URL"),
        ({"urls": ["http://me:secret@localhost/"]}, "has a user name or password"),
        ({"timeout": 0}, "timeout is 0"),
    ],
)
def test_bad_option(what: Any, words: str) -> None:
    given = dict({"commands": [], "urls": [], "services": [], "timeout": 10}, **what)
    with pytest.raises(BadOption, match=words) as caught:
        _health_checks.parse_health_checks(given)
    assert "secret" not in str(caught.value)

"""``framegate`` commands and tests' programs, as processes without the second that an interpreter takes."""

import atexit
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, TextIO

SERVER = Path(__file__).with_name("fork_server.py")
PR_SET_CHILD_SUBREAPER = 36


class ForkedProcess:
    """A child of this process; what ``subprocess.Popen`` offers that tests use."""

    def __init__(self, pid: int, stderr: TextIO | None = None) -> None:
        self.pid = pid
        self.stderr = stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, or minus the number of the signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; wait for it for at most ``timeout`` seconds, or for ever.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if self.poll() is None:
            ended = os.pidfd_open(self.pid)
            try:
                select.select([ended], [], [], timeout)
            finally:
                os.close(ended)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("framegate", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process is known to have ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Server:
    """The process that forks; it ends when this one does, for want of a socket."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            self._process = subprocess.Popen(
                [sys.executable, os.fspath(SERVER), str(its.fileno())],
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # else numpy starts threads, before the fork
            )

    def fork(self, order: dict[str, object], descriptors: list[int]) -> int:
        socket.send_fds(self._socket, [json.dumps(order).encode()], descriptors)
        pid = int(self._socket.recv(100))
        assert self._socket.recv(100) == b"adopted"
        return pid

    def close(self) -> None:
        self._socket.close()
        self._process.wait(10)


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


def fork(
    arguments: tuple[str, ...], stdio: tuple[int, int, int], cwd: Path, env: Mapping[str, str], **more: str
) -> int:
    """Start ``framegate`` with these arguments and descriptors; return the pid of a child of ours."""
    order: dict[str, object] = {"arguments": arguments, "cwd": os.fspath(cwd), "env": dict(env), **more}
    return _server().fork(order, list(stdio))


def daemon_process(config: Path, cwd: Path) -> ForkedProcess:
    """Start ``framegate run``; its standard error can be read."""
    reading, writing = os.pipe()
    try:
        with open(os.devnull, "rb") as nothing:
            stdio = nothing.fileno(), 1, writing
            pid = fork(("run", "--config", os.fspath(config)), stdio, cwd, os.environ)
    finally:
        os.close(writing)
    return ForkedProcess(pid, open(reading, errors="surrogateescape"))


def framegate(
    *arguments: object,
    timeout_s: float = 60.0,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, with ``env`` added to the environment; return code and output."""
    with open(os.devnull, "rb") as nothing:
        code, out, err = _run(
            arguments, nothing, timeout_s=timeout_s, cwd=cwd or Path.cwd(), env={**os.environ, **(env or {})}
        )
    printed = (text.decode("utf-8", "surrogateescape") for text in (out, err))
    return subprocess.CompletedProcess(["framegate", *map(str, arguments)], code, *printed)


def python(
    program: str, *arguments: object, data: bytes = b"", timeout_s: float = 30.0
) -> "subprocess.CompletedProcess[bytes]":
    """Run a program to its end, as ``python -c`` would where framegate is loaded; return code and output."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        code, out, err = _run(
            arguments, file, timeout_s=timeout_s, cwd=Path.cwd(), env=os.environ, program=program
        )
    return subprocess.CompletedProcess(["python", *map(str, arguments)], code, out, err)


def _run(
    arguments: tuple[object, ...],
    stdin: IO[bytes],
    *,
    timeout_s: float,
    cwd: Path,
    env: Mapping[str, str],
    **more: str,
) -> tuple[int, bytes, bytes]:
    """Fork, and wait for the end; return the exit code and what was written to standard output and error."""
    words = tuple(os.fspath(word) if isinstance(word, os.PathLike) else str(word) for word in arguments)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = fork(words, (stdin.fileno(), out.fileno(), err.fileno()), cwd, env, **more)
        process = ForkedProcess(pid)
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()

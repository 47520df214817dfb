"""Tells a message by a program: in a session of its own, with a clean environment, for a limited time."""

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from framegate.notify.ways.bell import Bell
from framegate.notify.ways.leftovers import MARK, kill_marked
from framegate.notify.ways.outcome import MOST_OUTPUT, Outcome, last_line_of

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""All that a command gets of our environment: systemd puts sockets and secrets into it."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

TERMINATE_S = 2.0
"""How long a command has to end after SIGTERM, before it is killed."""

READ_BYTES, READ_PAUSE_S = 65_536, 0.01
"""A command that floods its output is read at 6 MB a second at most: else it would take a core of ours."""


def found(program: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of a program that can be executed; None if there is none."""
    return shutil.which(program, path=environ.get("PATH", DEFAULT_PATH))


class Run:
    """One run of a command.

    Args:
        command: program and arguments.
        variables: the fields of the message.
        body: the message, for its standard input.
        mark: by which its processes are found, wherever they are.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], body: bytes, *, mark: str
    ) -> None:
        self._command, self._body, self._mark = command, memoryview(body), mark
        own = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self._environment = {"PATH": DEFAULT_PATH, **own, **variables, MARK: mark}
        self._output = b""
        self._poll = select.poll()
        self._stdin = self._stdout = -1
        """Descriptors of our ends of its pipes; -1 when they are used no more."""

    def outcome(
        self, timeout_s: float, bell: Bell, is_over: Callable[[], bool], clock: Callable[[], float]
    ) -> Outcome:
        """Run it to its end.

        Args:
            timeout_s: after which it is ended.
            bell: rings when ``is_over`` may have changed.
            is_over: whether to end it now.
            clock: monotonic seconds.
        """
        program = found(self._command[0])
        if program is None:
            return Outcome(is_told=False, words=f"{self._command[0]} is not there, or cannot be executed")
        try:
            process = subprocess.Popen(  # noqa: S603 - what the config says, without a shell
                [program, *self._command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                cwd="/",
                env=self._environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome(is_told=False, words=f"{program} cannot be started: {error}")
        with process:
            return self._followed(process, timeout_s, bell, is_over, clock)

    def _followed(
        self,
        process: "subprocess.Popen[bytes]",
        timeout_s: float,
        bell: Bell,
        is_over: Callable[[], bool],
        clock: Callable[[], float],
    ) -> Outcome:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin.fileno(), process.stdout.fileno()
        for fd, event in ((self._stdin, select.POLLOUT), (self._stdout, select.POLLIN)):
            os.set_blocking(fd, False)
            self._poll.register(fd, event)
        end = os.pidfd_open(process.pid)
        self._poll.register(end, select.POLLIN)
        self._poll.register(bell.fd, select.POLLIN)
        try:
            deadline_s, is_ended = clock() + timeout_s, False
            while not is_ended and not is_over() and clock() < deadline_s:
                is_ended = self._step(process, end, bell, deadline_s - clock())
            is_broken_off = not is_ended and is_over()
            if not is_ended:
                self._end(process, end)
            if self._stdout >= 0:
                self._read()
        finally:
            os.close(end)
        code = process.wait()
        if is_broken_off:
            return Outcome(is_told=False, words="broken off", is_broken_off=True)
        if not is_ended:
            words = f"not done within {timeout_s:g} s{last_line_of(self._output)}"
            return Outcome(is_told=False, words=words)
        words = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
        return Outcome(is_told=code == 0, words=f"{words}{last_line_of(self._output)}")

    def _step(self, process: "subprocess.Popen[bytes]", end: int, bell: Bell, most_wait_s: float) -> bool:
        """Wait for something, and do it; return whether the command has ended."""
        ready = {fd for fd, _ in self._poll.poll(max(0.0, most_wait_s) * 1000)}
        if bell.fd in ready:
            os.eventfd_read(bell.fd)
        if self._stdin in ready and self._has_all():
            self._poll.unregister(self._stdin)
            self._stdin = -1
            assert process.stdin is not None
            process.stdin.close()
        if self._stdout in ready:
            if self._read():
                time.sleep(READ_PAUSE_S)
            else:
                self._poll.unregister(self._stdout)
                self._stdout = -1
        return end in ready

    def _has_all(self) -> bool:
        """Write what fits of the message; return whether no more is to come: it may read none of it."""
        try:
            self._body = self._body[os.write(self._stdin, self._body) :]
        except BlockingIOError:
            return False
        except OSError:
            return True
        return not self._body

    def _read(self) -> bool:
        """Take in what it has printed, and remember the end of it; return whether there was anything."""
        try:
            data = os.read(self._stdout, READ_BYTES)
        except OSError:
            return False
        self._output = (self._output + data)[-4 * MOST_OUTPUT :]
        return bool(data)

    def _end(self, process: "subprocess.Popen[bytes]", end: int) -> None:
        """End it, and everything that it has started. It is waited for later: its number stays its own."""
        ended = select.poll()
        ended.register(end, select.POLLIN)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            ended.poll(TERMINATE_S * 1000)
        kill_marked(self._mark)

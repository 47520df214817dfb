"""Real trouble for tests: rights taken away, kernel limits reached, threads that die, watches that go."""

import ctypes
import fcntl
import os
import platform
import resource
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
_LOCK = Path(tempfile.gettempdir(), "framegate-tests-inotify-limits.lock")
USERS_FROM = 100_000
SETRESUID = {"x86_64": 117, "aarch64": 147, "riscv64": 147}
INOTIFY_LIMITS = Path("/proc/sys/fs/inotify")

_CAPABILITY_VERSION = 0x20080522
_READ_ANYTHING = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_ASK_WHO_WRITES = 1 << 28  # CAP_LEASE


@contextmanager
def powerless(powers: int = _READ_ANYTHING) -> Iterator[None]:
    """Make the calling thread, if it is root's, obey file modes like everybody else."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    before, during = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable
    assert LIBC.capget(header, before) == 0
    ctypes.pointer(during)[0] = before
    during[0] &= ~powers
    assert LIBC.capset(header, during) == 0
    try:
        yield
    finally:
        assert LIBC.capset(header, before) == 0


def leaseless() -> AbstractContextManager[None]:
    """Let the calling thread, if it is root's, ask who has a file open only of files of its own."""
    return powerless(_ASK_WHO_WRITES)


@contextmanager
def no_inotify_instances() -> Iterator[None]:
    """Let the kernel give this thread no more inotify instances, for its user has all that a user gets.

    The limit is each user's own: root's thread is another user meanwhile, so that nobody else goes short.
    """
    taken = []
    with _as_user_of_this_process() if os.getuid() == 0 else nullcontext():
        try:
            while (fd := LIBC.inotify_init1(os.O_CLOEXEC)) >= 0:
                taken.append(fd)
            yield
        finally:
            for fd in taken:
                os.close(fd)


@contextmanager
def _as_user_of_this_process() -> Iterator[None]:
    """Let this thread of root's be, but for its rights to files, a user that no other process is."""
    assert _set_effective_user(USERS_FROM + os.getpid()) == 0
    LIBC.setfsuid(0)  # of this thread alone; with it come the rights of root's to every file
    try:
        yield
    finally:
        assert _set_effective_user(0) == 0


def _set_effective_user(uid: int) -> int:
    """Ask the kernel, whose threads have a user each; the C library would set it for all of them."""
    return int(LIBC.syscall(SETRESUID[platform.machine()], -1, uid, -1))


_lowered_here: list[str] = []


@contextmanager
def limited(name: str, value: int) -> Iterator[None]:
    """Lower an inotify limit of the whole machine; keep it short, others live here too."""
    limit = INOTIFY_LIMITS / name
    with _LOCK.open("w") as lock:  # else two test runs could restore each other's lowered value
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = limit.read_text("ascii")
        limit.write_text(str(value), "ascii")
        _lowered_here.append(name)
        try:
            yield
        finally:
            _lowered_here.remove(name)
            limit.write_text(before, "ascii")


@contextmanager
def usual_limits() -> Iterator[None]:
    """Keep other test processes from lowering an inotify limit while something that needs it starts here."""
    if _lowered_here:
        yield
        return
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let this process open so many more descriptors and no more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    held = [os.dup(0)]
    while held[-1] < highest + count:  # the limit is a number: leave no gap below it
        held.append(os.dup(0))
    for fd in held[-count:]:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1] + 1, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in held[:-count]:
            os.close(fd)


def rename_at_a_stroke(renames: Iterable[tuple[Path, Path]]) -> None:
    """Rename files while no other thread of this process runs: none can keep up with the burst."""
    rename = ctypes.PyDLL(None).rename  # unlike CDLL it keeps the interpreter's lock
    pairs = [(os.fsencode(old), os.fsencode(new)) for old, new in renames]
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        assert not any(rename(old, new) for old, new in pairs)
    finally:
        sys.setswitchinterval(before)


def kill_thread(thread: threading.Thread) -> None:
    """Raise SystemExit in a thread, which ends it in silence as soon as something wakes it."""
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


def drop_kernel_watches(*, first_only: bool = False) -> None:
    """Remove this process's inotify watches behind watchdog's back, as an unmount does."""
    for name in os.listdir("/proc/self/fd"):
        try:
            is_inotify = os.readlink(f"/proc/self/fd/{name}") == "anon_inode:inotify"
        except OSError:
            continue
        if is_inotify:
            text = Path(f"/proc/self/fdinfo/{name}").read_text("ascii")
            watches = sorted(int(line.split()[1][3:], 16) for line in text.splitlines() if "wd:" in line)
            for wd in watches[:1] if first_only else watches:
                LIBC.inotify_rm_watch(int(name), wd)

"""The sockets at which the page is served."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from framegate.config.telling.web import UNIX, WebSettings, host_of
from framegate.errors import FramegateError

BACKLOG = 128
"""Connections that the kernel accepts while the server has as many as it takes."""

NOT_FOR_OTHERS = 0o117
"""Umask of a Unix socket: its user and its group may connect."""


class CannotListen(FramegateError):  # noqa: N818 - it says what cannot be done
    """The address is in use, or is none of this machine's."""


@contextmanager
def listening(place: str) -> Iterator[list[socket.socket]]:
    """Listen at an address or a Unix socket until the end of the block.

    Args:
        place: as ``web.listen`` in the config.

    Raises:
        CannotListen: with the reason.
    """
    try:
        if place.startswith(UNIX):
            path = place.removeprefix(UNIX)
            sockets = [_at_path(path)]
        else:
            sockets = [_at_address(*found) for found in _addresses(place)]
    except OSError as error:
        raise CannotListen(_why(place, error)) from error
    try:
        yield sockets
    finally:
        for each in sockets:
            each.close()
        if place.startswith(UNIX):
            with suppress(OSError):
                os.unlink(path)


def address_to_open(settings: WebSettings) -> str:
    """Return what a person types in to see the page: no browser opens ``0.0.0.0``."""
    if settings.listen.startswith(UNIX):
        return settings.listen
    port = settings.listen.rpartition(":")[2]
    return f"http://{_own_name(settings)}:{port}/{'' if settings.token_file is None else '#TOKEN'}"


def _own_name(settings: WebSettings) -> str:
    host = host_of(settings.listen)
    if host not in _FROM_OUTSIDE:
        return f"[{host}]" if ":" in host else host
    if settings.hosts:
        return settings.hosts[0]
    family, outside = _FROM_OUTSIDE[host]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((outside, 9))  # of UDP: nothing is sent
            own = str(probe.getsockname()[0])
        except OSError:  # no network
            return "localhost"
    return f"[{own}]" if ":" in own else own


_FROM_OUTSIDE = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}  # noqa: S104
"""Of all addresses of this machine: an address of nobody, to which a packet would leave by the main one."""


def _addresses(place: str) -> Iterator[tuple[socket.AddressFamily, tuple[str, int]]]:
    port = int(place.rpartition(":")[2])
    for family, _, _, _, address in socket.getaddrinfo(host_of(place), port, type=socket.SOCK_STREAM):
        yield family, (str(address[0]), int(address[1]))


def _at_address(family: socket.AddressFamily, address: tuple[str, int]) -> socket.socket:
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(address)
        server.listen(BACKLOG)
    except OSError:
        server.close()
        raise
    return server


def _at_path(path: str) -> socket.socket:
    _clear(path)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(NOT_FOR_OTHERS)
    try:
        server.bind(path)
        server.listen(BACKLOG)
    except OSError:
        server.close()
        raise
    finally:
        os.umask(before)
    return server


def _clear(path: str) -> None:
    """Remove a socket that a process has left behind.

    Raises:
        OSError: EADDRINUSE if a process listens at it; EEXIST if it is no socket.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "there is a file of that name")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # it would wait for a server that has too much to do
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _why(place: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{place} is in use: another program listens there; set another listen in the config's [web]"
    return f"cannot listen at {place}: {error.strerror}"

"""The settings of ``[web]``: where the page of ``framegate web`` is served, and who may ask for it."""

import ipaddress
import os
import re
import stat
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict, ValidationInfo

from framegate.config.tables import Table
from framegate.config.values import FilePath, Text, one_or_many, read_address

UNIX = "unix:"
"""What ``listen`` begins with for a Unix socket."""

LONGEST_SOCKET_PATH = 107
"""In bytes: what the kernel has room for."""

DEFAULT_LISTEN = "127.0.0.1:8470"
EXAMPLES = f'"{DEFAULT_LISTEN}", or a Unix socket, as "unix:/run/framegate/web.sock"'


def is_loopback(listen: str) -> bool:
    """Return whether only this machine can reach a place: a Unix socket, or a loopback address."""
    if listen.startswith(UNIX):
        return True
    host = host_of(listen)
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: where it leads to, another machine decides
        return False


def host_of(listen: str) -> str:
    """Return the host of an address, ``::1`` without its brackets."""
    return listen.rpartition(":")[0].removeprefix("[").removesuffix("]")


def is_open_to_all(token_file: str) -> bool:
    """Return whether every user of this machine may read or write a file.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    return bool(os.stat(token_file).st_mode & (stat.S_IROTH | stat.S_IWOTH))


def _socket_or_address(text: str) -> str:
    if not text.startswith(UNIX):
        return read_address(text, example=EXAMPLES)
    path = text.removeprefix(UNIX)
    if not path.startswith("/") or "\0" in path:
        raise ValueError(
            f'write the whole path of a Unix socket, as "unix:/run/framegate/web.sock", not {text!r}'
        )
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise ValueError(f"a Unix socket's path has at most {LONGEST_SOCKET_PATH} bytes")
    return text


def _host_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9A-Fa-f:.]+\]", name):
        raise ValueError(
            f'write a name alone, as "lot1.example.org", without http://, port or path, not {name!r}'
        )
    return name.lower().removesuffix(".")


def _not_without_token(token_file: str | None, info: ValidationInfo) -> str | None:
    listen = info.data.get("listen", DEFAULT_LISTEN)
    if token_file is None and not is_loopback(listen):
        raise ValueError(
            f'is required: other machines can reach listen = "{listen}". Make a token, as by'
            " `openssl rand -hex 16 > FILE`, and name the file here; or listen at 127.0.0.1"
        )
    return token_file


class WebSettings(Table):
    """The page of `framegate web`, which reads this when it starts; the daemon does not use it."""

    listen: Annotated[str, Strict(), AfterValidator(_socket_or_address)] = DEFAULT_LISTEN
    """Where to serve the page: an address and a port, or `"unix:/run/framegate/web.sock"`, a socket for
    a proxy on this machine. An address that other machines can reach needs `token_file`."""

    hosts: Annotated[
        tuple[Annotated[Text, AfterValidator(_host_name)], ...], BeforeValidator(one_or_many)
    ] = Field(default=(), examples=[["lot1.example.org"]])
    """Names by which a browser may ask for the page, beside `localhost`, loopback addresses and the
    address in `listen`: those of a proxy or a tunnel."""

    token_file: Annotated[FilePath | None, AfterValidator(_not_without_token)] = Field(
        default=None, examples=["/etc/framegate/web.token"], validate_default=True
    )
    """A file with a word of 16 characters or more. Only a browser that was given it, as in
    `http://lot1.example.org:8470/#WORD`, gets the page's contents. It is read
    when `framegate web` starts."""

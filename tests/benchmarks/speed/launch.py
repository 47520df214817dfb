"""Runs a program and says what it used: ``python -IS launch.py FIGURES OUTPUT PROGRAM [ARGUMENTS ...]``.

A process of its own, and a small one: the kernel counts the memory of the process that starts a program as if
it were the program's, and the bench has pictures in its memory.
"""

import json
import os
import sys
import time


def main() -> None:
    figures, output, *command = sys.argv[1:]
    begun_s = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    _, status, used = os.wait4(pid, 0)
    wall_s = time.perf_counter() - begun_s
    with open(figures, "w", encoding="utf-8") as file:
        json.dump(
            {
                "code": os.waitstatus_to_exitcode(status),
                "wall_s": wall_s,
                "cpu_s": used.ru_utime + used.ru_stime,
                "peak_bytes": 1024 * used.ru_maxrss,
            },
            file,
        )


if __name__ == "__main__":
    main()

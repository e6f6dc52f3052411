"""The command `batchmean`, ready to run: importing it takes longer than most of what hundreds of tests ask of it.

One process per worker has imported it and forks for each run: a real process, with streams, a working directory, an
environment and an end of its own. What only a new interpreter heeds (`PYTHON...`, a locale) needs a new one.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Final

_FOR_INTERPRETERS: Final = ("PYTHON", "LC_", "LANG")
"""How the names of variables begin that are read while Python starts."""

_PACKAGES: Final = ("commands", "documents", "engine", "fixes", "gate", "operations", "output", "rules")
"""Parts of the linter that any run may need; what needs an extra is imported by the runs that do."""
_STREAMS: Final = 3


def can_run(name: str, environment: Mapping[str, str]) -> bool:
    """May this program, with these variables changed, be run here?"""
    return (
        name == "batchmean"
        and sys.platform == "linux"  # others fork with threads at their peril, or have no such sockets
        and not any(key.startswith(_FOR_INTERPRETERS) for key in environment)
    )


def run(
    arguments: Sequence[str], cwd: Path, stdin: bytes, environment: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[bytes]:
    """Run the command with these arguments and wait for its end.

    Raises:
        TimeoutError: it did not end in time.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        code = _ask(_server(), arguments, cwd, environment, (given, out, err), timeout)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(["batchmean", *arguments], code, out.read(), err.read())


def _ask(
    server: socket.socket,
    arguments: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    streams: Sequence[IO[bytes]],
    timeout: float,
) -> int:
    message = json.dumps([list(arguments), str(cwd), {**os.environ, **environment}]).encode()
    try:
        server.settimeout(timeout)
        socket.send_fds(server, [message], [stream.fileno() for stream in streams])
        return int(server.recv(100))
    except OSError:  # its answer may still come, and is not the next run's
        _server.cache_clear()
        server.close()
        raise


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # It ends when this process does: nobody else has the other end of its socket.
    subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    return ours


def _import_command() -> None:
    import batchmean
    import batchmean.cli

    for package in _PACKAGES:
        folder = Path(batchmean.__file__).parent / package
        for module in pkgutil.walk_packages([str(folder)], f"batchmean.{package}."):
            with suppress(ImportError):
                import_module(module.name)


def _serve(client: socket.socket) -> int:
    """Fork for each request; in the process that is to run it, return what the command does."""
    _import_command()
    gc.freeze()  # or every collection would copy what all runs share
    while True:
        message, descriptors, _, _ = socket.recv_fds(client, 1 << 20, _STREAMS)
        if not message:
            return 0
        child = os.fork()
        if child == 0:
            return _run(client, descriptors, *json.loads(message))
        for descriptor in descriptors:
            os.close(descriptor)
        _, status = os.waitpid(child, 0)
        client.send(str(os.waitstatus_to_exitcode(status)).encode())


def _run(
    client: socket.socket,
    descriptors: Sequence[int],
    arguments: list[str],
    cwd: str,
    environment: dict[str, str],
) -> int:
    client.close()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    command = Path(sys.executable).parent / "batchmean"
    sys.argv = [str(command), *arguments]
    sys.path[0] = str(command.parent)

    from batchmean.__main__ import main

    return main()


def _leave(code: int) -> None:
    """End as a program does, but let the system take the memory: to clear it takes longer than most runs."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave(_serve(socket.socket(fileno=int(sys.argv[1]))))

"""Published packages as folders of Python files: `pip download`, unpacked once, never installed or imported.

python -m benchmarks.packages timm==1.0.31 ...
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

CACHE = Path(__file__).parent / ".cache"

# Larger files hold data.
_MOST_BYTES = 8_000_000


class Pin(NamedTuple):
    """A package at a version."""

    name: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Pin:
        """Read `name==version`."""
        name, equals, version = text.partition("==")
        if not (name and equals and version):
            raise ValueError(f"not of the form name==version: {text}")
        return cls(name, version)

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"

    @property
    def folder(self) -> str:
        """What its folder is called in the cache and among `--sources`."""
        return f"{self.name}-{self.version}"


class PackageError(Exception):
    """A package that cannot be had; one line says why."""


def folder_of(pin: Pin, sources: Path | None = None) -> Path:
    """The folder with a package's Python files: from `sources` if given, else from the cache or the index."""
    if sources is not None:
        folder = sources / pin.folder
        if not folder.is_dir():
            raise PackageError(f"{pin}: there is no folder {folder}")
        return folder
    folder = CACHE / pin.folder
    if not folder.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            unpack(_download(pin, Path(scratch)), fresh := Path(scratch, "unpacked"))
            fresh.rename(folder)  # whole or not at all
    return folder


def unpack(archive: Path, folder: Path) -> None:
    """Write the Python files of a wheel or a source distribution below `folder`, and nothing outside it.

    Only regular files are taken. The one folder that a source distribution wraps everything in is left out:
    paths are the same from either kind.
    """
    wheel = archive.suffix == ".whl"
    folder.mkdir()
    for name, content in _zipped(archive) if zipfile.is_zipfile(archive) else _tarred(archive):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or any(mark in name for mark in "\\:\0"):
            raise PackageError(f"{archive.name}: unsafe path {name!r}")
        target = folder.joinpath(*path.parts[0 if wheel or len(path.parts) == 1 else 1 :])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _download(pin: Pin, scratch: Path) -> Path:
    destination = scratch / "download"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--ignore-requires-python", "--dest", str(destination), str(pin)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()
        raise PackageError(f"{pin}: pip download failed: {reason[-1] if reason else 'without a word'}")
    (archive,) = destination.iterdir()
    return archive


def _zipped(archive: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            if _wanted(entry.filename, entry.file_size):
                yield entry.filename, file.read(entry)


def _tarred(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as file:
        for member in file:
            if member.isfile() and _wanted(member.name, member.size):
                content = file.extractfile(member)
                assert content is not None  # it is a regular file
                yield member.name, content.read()


def _wanted(name: str, size: int) -> bool:
    return name.endswith(".py") and size <= _MOST_BYTES


def main() -> int:
    """Fetch the packages named on the command line and print their folders."""
    parser = argparse.ArgumentParser(description=folder_of.__doc__)
    parser.add_argument("pins", nargs="*", metavar="NAME==VERSION")
    parser.add_argument("--clear", action="store_true", help="forget everything fetched before")
    options = parser.parse_args()
    if options.clear:
        shutil.rmtree(CACHE, ignore_errors=True)
    try:
        for pin in map(Pin.parse, options.pins):
            print(folder_of(pin))
    except (PackageError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

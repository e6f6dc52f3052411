"""Packages are unpacked to their Python files, and to nothing outside their folder."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.packages import PackageError, Pin, folder_of, unpack


def wheel(folder: Path, files: Mapping[str, str]) -> Path:
    archive = folder / "package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return archive


def sdist(folder: Path, files: Mapping[str, str], links: Mapping[str, str]) -> Path:
    archive = folder / "package-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content.encode()))
        for name, target in links.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            file.addfile(member)
    return archive


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def test_python_files_of_a_wheel(tmp_path: Path) -> None:
    archive = wheel(tmp_path, {"package/a.py": "A = 1\n", "package/data.bin": "x", "top.py": ""})
    unpack(archive, tmp_path / "out")
    assert files_below(tmp_path / "out") == {"package/a.py", "top.py"}
    assert (tmp_path / "out/package/a.py").read_text(encoding="utf-8") == "A = 1\n"


def test_source_distribution_gives_the_same_paths_and_no_links(tmp_path: Path) -> None:
    files = {"package-1.0/package/a.py": "A = 1\n", "package-1.0/README": "x"}
    unpack(sdist(tmp_path, files, {"package-1.0/package/b.py": "/etc/passwd"}), tmp_path / "out")
    assert files_below(tmp_path / "out") == {"package/a.py"}


@pytest.mark.parametrize(
    "name", ["../evil.py", "package/../../evil.py", "/evil.py", "C:/evil.py", "a\\..\\b.py"]
)
def test_nothing_is_written_outside(tmp_path: Path, name: str) -> None:
    archive = wheel(tmp_path, {name: "x = 1\n"})
    with pytest.raises(PackageError, match="unsafe path"):
        unpack(archive, tmp_path / "out")
    assert files_below(tmp_path) == {archive.name}


def test_given_sources_are_used(tmp_path: Path) -> None:
    pin = Pin.parse("package==1.0")
    with pytest.raises(PackageError, match="no folder"):
        folder_of(pin, tmp_path)
    (tmp_path / "package-1.0").mkdir()
    assert folder_of(pin, tmp_path) == tmp_path / "package-1.0"


@pytest.mark.parametrize("text", ["package", "package==", "==1.0"])
def test_a_pin_has_a_name_and_a_version(text: str) -> None:
    with pytest.raises(ValueError, match="name==version"):
        Pin.parse(text)

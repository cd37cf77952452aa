"""Regenerates gen/python from the .proto files; run by generate.sh, which brings the generator."""

import filecmp
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
OUT = HERE / "gen" / "python"


def generate(out: Path) -> None:
    """Write the package `pointsman.v1` below `out`."""
    protos = sorted(str(p.relative_to(HERE)) for p in HERE.glob("pointsman/v1/*.proto"))
    well_known = files("grpc_tools") / "_proto"
    google_rpc = files("google.rpc") / ".." / ".."  # where google/rpc/status.proto is found
    arguments = [
        "protoc",
        f"-I{HERE}",
        f"-I{google_rpc}",
        f"-I{well_known}",
        f"--python_out={out}",
        f"--pyi_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_grpc_out=quiet:{out}",
        *protos,
    ]
    if protoc.main(arguments):
        raise SystemExit("protoc failed: its messages are above")
    package = out / "pointsman" / "v1"
    for stub in package.glob("*_pb2_grpc.py*"):  # files without a service get empty stubs
        if not stub.name.split(".")[0].endswith("_service_pb2_grpc"):
            stub.unlink()
    (package / "__init__.py").write_text('"""Generated from protos/pointsman/v1; do not edit."""\n')
    (package / "py.typed").touch()


def stale_files(fresh: Path) -> list[str]:
    """Names of the generated files that differ from `fresh`."""
    new, old = fresh / "pointsman/v1", OUT / "pointsman/v1"
    if not old.is_dir():
        return [str(old)]
    names = {p.name for d in (new, old) for p in d.iterdir() if p.is_file()}
    _, mismatch, errors = filecmp.cmpfiles(new, old, sorted(names), shallow=False)
    return mismatch + errors


def main() -> None:
    """Generate, or with --check compare."""
    with tempfile.TemporaryDirectory() as tmp:
        generate(Path(tmp))
        if "--check" in sys.argv[1:]:
            stale = stale_files(Path(tmp))
            if stale:
                raise SystemExit(f"stale, run protos/generate.sh: {', '.join(stale)}")
            print("generated code is up to date")
        else:
            shutil.rmtree(OUT, ignore_errors=True)
            shutil.copytree(tmp, OUT)


if __name__ == "__main__":
    main()

#!/bin/sh
# Lints the .proto files with buf. google/rpc/status.proto is not kept here: it is copied from the
# installed googleapis-common-protos into the git-ignored third_party/, for buf to read.
set -eu
cd "$(dirname "$0")"
mkdir -p third_party/google/rpc
python - <<'PY'
import shutil
from importlib.resources import as_file, files

with as_file(files("google.rpc") / "status.proto") as status:
    shutil.copy(status, "third_party/google/rpc/status.proto")
PY
exec buf lint

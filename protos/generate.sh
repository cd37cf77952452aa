#!/bin/sh
# Regenerates gen/python from the .proto files; with --check, only says whether it is stale.
#
# The generator runs in an environment of its own (requirements.txt), pinned to the oldest runtime
# that clients may have: generated code refuses to load on an older protobuf or grpcio than its
# generator's, while newer ones load it.
set -eu
cd "$(dirname "$0")"
exec uv run --quiet --no-project --with-requirements requirements.txt python generate.py "$@"

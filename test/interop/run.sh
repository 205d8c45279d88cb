#!/usr/bin/env bash
# Compares this engine with transformers; see README.md. MOS_PYTHON: a Python that has the packages. Exit code 77: there
# is none, nothing was compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_OFFLINE=1
python=${MOS_PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, safetensors' 2>/dev/null; then
  echo "skipped: $python has no torch, transformers and safetensors (test/interop/README.md)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" test/interop/models.py "$folder"
bun src/cli/main.ts verify "$folder" </dev/null
bun test/interop/greedy.ts "$folder" </dev/null

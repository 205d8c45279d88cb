#!/usr/bin/env bash
# Compares this engine with transformers and peft; see README.md. MOS_PYTHON: a Python that has the packages. Exit code 77: there
# is none, nothing was compared.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
python=${MOS_PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, peft, safetensors' 2>/dev/null; then
  echo "skipped: $python has no torch, transformers, peft and safetensors (test/interop/README.md)"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" test/interop/peers.py write "$folder"
bun src/cli/main.ts verify "$folder" </dev/null
bun test/interop/compare.ts "$folder" </dev/null
"$python" test/interop/peers.py check "$folder"

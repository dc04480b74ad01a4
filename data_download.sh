#!/usr/bin/env bash
# Get the data that the course works on: Mini-FF++ (made here, at once), or FaceForensics++ by its authors' own script.
# A front for torchfakes_utils/cli/download.py, which knows all commands and options: see --help.
#
# Written for bash 3.2 (macOS) and later: no associative arrays, no mapfile, no `wait -n`.
set -uo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH=$HERE${PYTHONPATH:+:$PYTHONPATH} # help and split files come without `make setup`, too

PYTHON=$HERE/.venv/bin/python
if [ ! -x "$PYTHON" ]; then
  PYTHON=python3
  if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "data_download.sh: TorchFakes is not installed; run \`make setup\` first" >&2
    exit 2
  fi
fi
exec "$PYTHON" -m torchfakes_utils.cli.download "$HERE/data" "$@"

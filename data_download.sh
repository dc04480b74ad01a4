#!/usr/bin/env bash
# Get the data that the course works on: Mini-FF++ (made here, at once) or FaceForensics++ (asked for, by you).
set -euo pipefail

usage() {
  cat <<'END'
Usage: ./data_download.sh mini [FOLDER]     make Mini-FF++ in FOLDER (default: data/mini)
       ./data_download.sh ffpp              how to ask for FaceForensics++, and where to put it
       ./data_download.sh --help

Mini-FF++ needs no account and no download: it is rendered on this computer in a minute or two from two
public-domain portraits, and takes less than 60 MB.

Exit status: 0 done; 1 the data could not be made; 2 wrong usage, or TorchFakes is not installed (run `make setup`).
END
}

fail() {
  echo "data_download.sh: $1" >&2
  exit 2
}

mini() {
  local here command
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  if [ -x "$here/.venv/bin/torchfakes" ]; then
    command=$here/.venv/bin/torchfakes
  else
    command=$(command -v torchfakes) || fail "TorchFakes is not installed; run \`make setup\` first"
  fi
  "$command" mini "${1:-$here/data/mini}" || exit 1
}

ffpp() {
  cat <<'END'
FaceForensics++ is not ours to pass on: each user accepts its terms of use in person.

1. Read about the data set and its terms, and fill in the form: https://github.com/ondyari/FaceForensics
   (section "Access"). Its authors answer by mail with a link to their download script.
2. Run that script as they describe it. Always say -c: without it you get the raw films, half a terabyte. Compression
   c23 is what most papers train on (about 10 GB for all; c40 about 2 GB). -n takes the first so many: give the same
   number for originals and fakes, so that they are of the same people. The masks are for lesson 07 only:

       python download-FaceForensics.py data/ffpp -d original -c c23 -t videos -n 100
       python download-FaceForensics.py data/ffpp -d Deepfakes -c c23 -t videos -n 100
       python download-FaceForensics.py data/ffpp -d Deepfakes -c c23 -t masks -n 100

   It waits for a key press to accept the terms: start it in a terminal, not in a notebook. Where a server does not
   answer, try another one: --server EU, EU2 or CA.
3. Put the official split, the files train.json, val.json and test.json from the folder dataset/splits of the
   repository above, into data/ffpp/splits/. The result looks like this; parts may be missing:

       data/ffpp/
         splits/{train,val,test}.json
         original_sequences/{youtube,actors}/{raw,c23,c40}/videos/000.mp4
         manipulated_sequences/<method>/{raw,c23,c40}/videos/000_003.mp4
         manipulated_sequences/<method>/masks/videos/000_003.mp4

   <method> is Deepfakes, Face2Face, FaceSwap, NeuralTextures, FaceShifter or DeepFakeDetection.
4. Go on with it: `torchfakes clips data/ffpp`, or open the lessons on it: TORCHFAKES_DATA=data/ffpp make lab
END
}

case "${1:-}" in
  -h | --help) usage ;;
  mini)
    [ $# -le 2 ] || { usage >&2; exit 2; }
    mini "${2:-}"
    ;;
  ffpp)
    [ $# -eq 1 ] || { usage >&2; exit 2; }
    ffpp
    ;;
  *)
    usage >&2
    [ $# -eq 0 ] || fail "there is no '$1' to get; it is mini or ffpp"
    exit 2
    ;;
esac

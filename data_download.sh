#!/usr/bin/env bash
# Get the data that the course works on: Mini-FF++ (made here, at once), or FaceForensics++ by its authors' own script.
#
# Written for bash 3.2 (macOS) and later: no associative arrays, no mapfile, no `wait -n`.
set -uo pipefail

INCOMPLETE=1 USAGE=2 NETWORK=3 NO_SPACE=4 LOCKED=5 NO_TERMS=6 WRONG_SUM=7 NO_SCRIPT=8

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GITHUB=${TORCHFAKES_GITHUB:-https://raw.githubusercontent.com/ondyari/FaceForensics}
TERMS=https://github.com/ondyari/FaceForensics
BACKOFF=${TORCHFAKES_BACKOFF:-5} # seconds before the second try; doubled before each further one
POLL=${TORCHFAKES_POLL:-2}       # seconds between two looks at what a download has written

# The published split files: their place, the commit that they are taken from, and their SHA-256.
SPLIT_FILES="
dataset/splits/train.json e452f055b6eefee41289f9f4cf62718057688c5e e59386911255e6fb0a79a7808ec2210536b8c0474268342694c4bca766d1b347
dataset/splits/val.json e452f055b6eefee41289f9f4cf62718057688c5e b48cc511f66938e05356aaa9c67e150b1e3638c355db3d745225b0022884b36e
dataset/splits/test.json e452f055b6eefee41289f9f4cf62718057688c5e 886f5a0da623c25820692e0d8dc33d197ddb1db527a7f1cfcb9bcbca60fe4f40
dataset/conversion_dict.json ce4c3d6d33a8843e0995239110052ad2aba626cb 2d5e03a3d4bd47ef0e8c84881f595ca1e1ba191928fa50dcd30a470a7173612f
"

usage() {
  cat <<'END'
Usage: ./data_download.sh [mini] [FOLDER]        make Mini-FF++ in FOLDER (default: data/mini)
       ./data_download.sh splits [FOLDER]        the official split files of FaceForensics++ (default: data/ffpp)
       ./data_download.sh ffpp --script FILE [FOLDER] [options]
                                                 FaceForensics++, by its authors' download script (default: data/ffpp)
       ./data_download.sh weights [NAME] [--sha256 HEX]
                                                 vggface2 (default) or casia-webface, to where training looks for them
       ./data_download.sh verify FOLDER [options of `torchfakes verify`]

mini      needs no account and no network: it is rendered on this computer in a minute or two from two public-domain
          portraits, and takes less than 60 MB.
splits    come from the authors' repository, at a pinned commit, with a known checksum.
ffpp      is not ours to pass on. Fill in the form at https://github.com/ondyari/FaceForensics; its authors answer by
          mail with a download script. Give it with --script; it is run for you, server after server, until all is there.
          Then the split files are fetched, and every video is opened and counted. What is there is never fetched twice:
          after a break, start the same command again.
weights   of facenet-pytorch's InceptionResnetV1 (107 MB) come without a published checksum. They are checked for what
          they must hold; their SHA-256 is printed and kept, and --sha256 compares it with one that you trust.

Options of ffpp
  --script FILE           the authors' script (download-FaceForensics.py or faceforensics_download_v4.py)
  --methods "A B …"       of original Deepfakes Face2Face FaceSwap NeuralTextures FaceShifter DeepFakeDetection
                          DeepFakeDetection_original (default: the first five); `all` for all
  --compression NAME      c23 (default; what most papers train on, about 10 GB in all), c40 (about 2 GB) or raw (about
                          500 GB: it has to be confirmed by --yes-raw)
  --num-videos N          only the first N of each; the same number for originals and fakes gives the same people
  --masks                 also the masks of the manipulated pixels (for lesson 07; there are none for FaceShifter)
  --servers "A B …"       to try, in this order (default: EU EU2 CA)
  --retries N             rounds over all servers (default: 3), with growing pauses between them
  --stall-timeout N       seconds without a new byte after which the next server is tried (default: 120)
  --redo-damaged          delete what cannot be opened, and fetch it once more
  --accept-terms          you have read and accepted the FaceForensics terms of use (asked for once otherwise)
  --dry-run               say what would be done and how much room it takes; touch nothing
  --yes-raw               yes, half a terabyte

Exit status: 0 all is there; 1 something is missing or damaged, and named; 2 wrong usage, or TorchFakes is not installed
(run `make setup`); 3 no server gave it; 4 too little room on the disk; 5 another run is at work in the folder; 6 the
terms were not accepted; 7 a file has the wrong checksum; 8 there is no download script; 130 interrupted.
END
}

say() { echo "data_download.sh: $*" >&2; }

fail() { # STATUS TEXT
  local status=$1
  shift
  say "$*"
  exit "$status"
}

# --- tools that differ from system to system

torchfakes() {
  if [ -x "$HERE/.venv/bin/torchfakes" ]; then
    "$HERE/.venv/bin/torchfakes" "$@"
  elif command -v torchfakes >/dev/null; then
    command torchfakes "$@"
  else
    fail $USAGE "TorchFakes is not installed; run \`make setup\` first"
  fi
}

python() {
  if [ -x "$HERE/.venv/bin/python" ]; then
    "$HERE/.venv/bin/python" "$@"
  else
    command python3 "$@"
  fi
}

sha256() { # FILE
  if command -v sha256sum >/dev/null; then
    sha256sum "$1" | cut -d ' ' -f 1
  else
    shasum -a 256 "$1" | cut -d ' ' -f 1
  fi
}

free_mb() { # FOLDER, or where it will be
  local place=$1
  while [ ! -d "$place" ]; do place=$(dirname "$place"); done
  df -Pk "$place" | awk 'NR == 2 { printf "%d\n", $4 / 1024 }'
}

# Writes the body to FILE. Status 0: done; 1: try again; 2: it makes no sense to try again.
get_once() { # URL FILE
  local code
  if command -v curl >/dev/null; then
    code=$(curl --silent --location --output "$2" --write-out '%{http_code}' --connect-timeout 20 \
      --speed-limit 1 --speed-time "$STALL" "$1") || return 1
    case $code in
      200 | 000) return 0 ;; # 000: not HTTP, and no error either
      401 | 403 | 404 | 410) return 2 ;;
      *) return 1 ;;
    esac
  fi
  python - "$1" "$2" "$STALL" <<'END'
import sys, urllib.error, urllib.request
url, file, stall = sys.argv[1:]
try:
    with urllib.request.urlopen(url, timeout=float(stall)) as answer, open(file, "wb") as target:
        length, data = answer.headers.get("Content-Length"), answer.read()
        target.write(data)
    sys.exit(int(length is not None and len(data) != int(length)))
except urllib.error.HTTPError as error:
    sys.exit(2 if error.code in (401, 403, 404, 410) else 1)
except OSError:
    sys.exit(1)
END
}

get() { # URL FILE SHA256: whole and right, or not at all
  local part=$2.part.$$ try=1 pause=$BACKOFF status
  mkdir -p "$(dirname "$2")" || fail $NO_SPACE "$(dirname "$2"): cannot be made"
  PART=$part
  while :; do
    get_once "$1" "$part"
    status=$?
    if [ $status -eq 0 ] && [ "$(sha256 "$part")" != "$3" ]; then
      # A proxy's error page, or a connection that broke off: both are cured by another try, a changed file is not.
      status=1
      [ $try -lt "$RETRIES" ] || { rm -f "$part"; fail $WRONG_SUM "$1: has not the checksum it should have; tell us"; }
    fi
    [ $status -eq 0 ] && break
    [ $status -eq 2 ] && { rm -f "$part"; fail $NETWORK "$1: the server does not have it; is there a newer TorchFakes?"; }
    [ $try -ge "$RETRIES" ] && { rm -f "$part"; fail $NETWORK "$1: cannot be fetched; is there a network?"; }
    say "$1: no luck, once more in $pause s"
    sleep "$pause"
    try=$((try + 1)) pause=$((pause * 2))
  done
  mv "$part" "$2" || fail $NO_SPACE "$2: cannot be written"
  PART=
}

# --- the commands

mini() {
  [ $# -le 1 ] || fail $USAGE "mini takes one folder (see --help)"
  local status=0
  torchfakes mini "${1:-$HERE/data/mini}" || status=$?
  case $status in
    0 | 130) exit $status ;;
    *) exit $INCOMPLETE ;;
  esac
}

splits() {
  [ $# -le 1 ] || fail $USAGE "splits takes one folder (see --help)"
  get_splits "${1:-$HERE/data/ffpp}"
  echo "the official split files are in ${1:-$HERE/data/ffpp}/splits"
}

get_splits() { # FOLDER
  local path commit sum file
  while read -r path commit sum; do
    [ -n "$path" ] || continue
    file=$1/splits/$(basename "$path")
    if [ ! -f "$file" ]; then
      get "$GITHUB/$commit/$path" "$file" "$sum"
    elif [ "$(sha256 "$file")" != "$sum" ]; then
      fail $WRONG_SUM "$file: is there, and is not the official file; move it away if you want that one"
    fi
  done <<END
$SPLIT_FILES
END
}

weights() {
  local name=vggface2 wanted=""
  while [ $# -gt 0 ]; do
    case $1 in
      --sha256) [ $# -ge 2 ] || fail $USAGE "--sha256 needs a value (see --help)"; wanted=$2; shift ;;
      vggface2 | casia-webface) name=$1 ;;
      *) fail $USAGE "there are no weights '$1'; there are vggface2 and casia-webface" ;;
    esac
    shift
  done
  python - "$name" "$wanted" <<'END'
import sys

try:
    from torchfakes_utils.models.pretrained import fetch_weights
    from torchfakes_utils.errors import InputError
except ModuleNotFoundError:
    sys.exit(print("data_download.sh: TorchFakes is not installed; run `make setup` first", file=sys.stderr) or 2)
try:
    path, digest = fetch_weights(sys.argv[1], sys.argv[2] or None)
except InputError as error:
    print(f"data_download.sh: {error}", file=sys.stderr)
    sys.exit(7 if "SHA-256" in str(error) else 3)
print(f"{path}\nSHA-256 {digest}")
END
}

verify() {
  [ $# -ge 1 ] || fail $USAGE "verify needs a folder (see --help)"
  torchfakes verify "$@"
}

ffpp() {
  SCRIPT="" FOLDER="" METHODS="original Deepfakes Face2Face FaceSwap NeuralTextures" COMPRESSION=c23 NUMBER=""
  SERVERS="EU EU2 CA" MASKS="" ACCEPT="" DRY="" YES_RAW="" REDO=""
  while [ $# -gt 0 ]; do
    case $1 in
      --script | --methods | --compression | --num-videos | --servers | --retries | --stall-timeout)
        [ $# -ge 2 ] || fail $USAGE "$1 needs a value (see --help)"
        case $1 in
          --script) SCRIPT=$2 ;;
          --methods) METHODS=$2 ;;
          --compression) COMPRESSION=$2 ;;
          --num-videos) NUMBER=$2 ;;
          --servers) SERVERS=$2 ;;
          --retries) RETRIES=$2 ;;
          --stall-timeout) STALL=$2 ;;
        esac
        shift
        ;;
      --masks) MASKS=1 ;;
      --accept-terms) ACCEPT=1 ;;
      --dry-run) DRY=1 ;;
      --yes-raw) YES_RAW=1 ;;
      --redo-damaged) REDO=1 ;;
      -*) fail $USAGE "ffpp has no option '$1' (see --help)" ;;
      *) [ -z "$FOLDER" ] || fail $USAGE "ffpp takes one folder, not '$FOLDER' and '$1'"; FOLDER=$1 ;;
    esac
    shift
  done
  FOLDER=${FOLDER:-$HERE/data/ffpp}
  check_options
  plan
  [ -z "$DRY" ] || { dry_run; return; }
  [ -f "$SCRIPT" ] || no_script
  enough_room
  mkdir -p "$FOLDER" || fail $NO_SPACE "$FOLDER: cannot be made"
  FOLDER=$(cd "$FOLDER" && pwd)
  lock
  accept_terms
  download_all
  get_splits "$FOLDER"
  check_all
  unlock
}

check_options() {
  case $COMPRESSION in
    c23 | c40) ;;
    raw) [ -n "$YES_RAW$DRY" ] || fail $USAGE "raw is about 500 GB; c23 is what most papers train on. If you mean it: --yes-raw" ;;
    *) fail $USAGE "there is no compression '$COMPRESSION'; there are c23, c40 and raw" ;;
  esac
  local pair
  for pair in "--num-videos:$NUMBER" "--retries:$RETRIES" "--stall-timeout:$STALL"; do
    case ${pair#*:} in
      "" | *[!0-9]* | 0) [ "$pair" = "--num-videos:" ] || fail $USAGE "${pair%%:*} needs a whole number above 0" ;;
    esac
  done
  [ "$METHODS" != all ] || METHODS="original Deepfakes Face2Face FaceSwap NeuralTextures FaceShifter DeepFakeDetection_original DeepFakeDetection"
  local method server
  for method in $METHODS; do
    size_mb "$method" >/dev/null || fail $USAGE "there is no method '$method' (see --help)"
  done
  for server in $SERVERS; do
    case $server in EU | EU2 | CA) ;; *) fail $USAGE "there is no server '$server'; there are EU, EU2 and CA" ;; esac
  done
}

# Of c23, MB: FaceForensics++ is about 10 GB in six parts, DeepFakeDetection 3 + 22 GB.
size_mb() { # METHOD
  case $1 in
    original | Deepfakes | Face2Face | FaceSwap | NeuralTextures | FaceShifter) echo 1700 ;;
    DeepFakeDetection_original) echo 3000 ;;
    DeepFakeDetection) echo 22000 ;;
    *) return 1 ;;
  esac
}

videos_of() { # METHOD: how many there are in all
  case $1 in
    DeepFakeDetection_original) echo 363 ;;
    DeepFakeDetection) echo 3068 ;;
    *) echo 1000 ;;
  esac
}

# TASKS: one "method type" a line. NEED: MB.
plan() {
  local method mb all
  TASKS="" NEED=0
  for method in $METHODS; do
    TASKS="$TASKS$method videos
"
    mb=$(size_mb "$method")
    case $COMPRESSION in
      c40) mb=$((mb / 5)) ;;
      raw) mb=$((mb * 50)) ;;
    esac
    all=$(videos_of "$method")
    if [ -n "$NUMBER" ] && [ "$NUMBER" -lt "$all" ]; then mb=$((mb * NUMBER / all + 1)); fi
    NEED=$((NEED + mb))
    case $method in
      original | DeepFakeDetection_original | FaceShifter) ;;
      *) [ -z "$MASKS" ] || TASKS="$TASKS$method masks
" ;;
    esac
  done
}

command_of() { # METHOD TYPE SERVER
  echo "$FOLDER -d $1 -c $COMPRESSION -t $2 --server $3${NUMBER:+ -n $NUMBER}"
}

dry_run() {
  local method type first=${SERVERS%% *}
  echo "would run, and on failure the same with the next of the servers $SERVERS:"
  while read -r method type; do
    [ -z "$method" ] || echo "  python ${SCRIPT:-download-FaceForensics.py} $(command_of "$method" "$type" "$first")"
  done <<END
$TASKS
END
  echo "room needed: about $NEED MB${MASKS:+, and some more for the masks}; free: $(free_mb "$FOLDER") MB"
  [ "$COMPRESSION" != raw ] || say "raw is about 500 GB in all; c23 is what most papers train on"
  [ -f "$SCRIPT" ] || say "there is no download script yet: fill in the form at $TERMS to be sent one"
}

no_script() {
  [ -z "$SCRIPT" ] || say "$SCRIPT: no such file"
  fail $NO_SCRIPT "FaceForensics++ comes by its authors' own script: fill in the form at $TERMS, save what they send you," \
    "and give it with --script FILE"
}

enough_room() {
  local free have
  free=$(free_mb "$FOLDER")
  have=0
  if [ -d "$FOLDER" ]; then have=$(du -sk "$FOLDER" | awk '{ printf "%d\n", $1 / 1024 }'); fi
  [ $((free + have)) -ge "$NEED" ] || fail $NO_SPACE \
    "$FOLDER: about $NEED MB are needed and $free MB are free; free some, take --num-videos or --compression c40"
}

lock() {
  local owner
  if ! mkdir "$FOLDER/.download.lock" 2>/dev/null; then
    owner=$(cat "$FOLDER/.download.lock/pid" 2>/dev/null)
    if [ -n "$owner" ] && kill -0 "$owner" 2>/dev/null; then
      fail $LOCKED "$FOLDER: another download is at work there (process $owner); wait for it"
    fi
    say "$FOLDER: taking over from a download that was killed"
  fi
  echo $$ >"$FOLDER/.download.lock/pid" || fail $NO_SPACE "$FOLDER: cannot be written to"
  LOCK=$FOLDER/.download.lock
}

unlock() {
  [ -z "$LOCK" ] || rm -rf "$LOCK"
  LOCK=""
}

accept_terms() {
  local answer="" record=$FOLDER/.terms-accepted
  [ ! -f "$record" ] || return 0
  if [ -z "$ACCEPT" ]; then
    [ -t 0 ] || fail $NO_TERMS "read the FaceForensics terms of use (linked at $TERMS); if you accept them: --accept-terms"
    say "FaceForensics++ may be used under its terms only: research, no redistribution, and more. They are linked at"
    say "$TERMS and in the mail that brought you the script."
    printf 'Have you read and accepted them? Type yes: ' >&2
    read -r answer
    [ "$answer" = yes ] || fail $NO_TERMS "nothing was downloaded"
  fi
  echo "The FaceForensics terms of use ($TERMS) were accepted on $(date -u +%Y-%m-%dT%H:%M:%SZ)." >"$record"
}

download_all() {
  local method type
  while read -r method type <&3; do
    [ -n "$method" ] || continue
    say "$method, $type, $COMPRESSION"
    download "$method" "$type" || fail $NETWORK \
      "$method ($type): no server gave all of it in $RETRIES rounds ($SERVERS). What came is kept: try again later"
  done 3<<END
$TASKS
END
}

download() { # METHOD TYPE
  local round=1 pause=$BACKOFF server
  while :; do
    for server in $SERVERS; do
      run_script "$1" "$2" "$server" && return 0
      say "$1 ($2): server $server failed${WHY:+ ($WHY)}"
    done
    [ $round -lt "$RETRIES" ] || return 1
    say "once more in $pause s"
    sleep "$pause"
    round=$((round + 1)) pause=$((pause * 2))
  done
}

# The script waits for a key press that accepts the terms, which the user has done. In a group of its own (set -m), it
# can be stopped together with whatever it has started.
run_script() { # METHOD TYPE SERVER
  local size before last
  WHY=""
  sweep
  set -m
  # shellcheck disable=SC2046  # the words of the command are meant to be split; FOLDER has been given apart
  python "$SCRIPT" "$FOLDER" $(command_of "$1" "$2" "$3" | sed 's/.* -d /-d /') >&2 <<<"" &
  CHILD=$!
  set +m
  before=-1 last=$(date +%s)
  while kill -0 "$CHILD" 2>/dev/null; do
    sleep "$POLL"
    size=$(du -sk "$FOLDER" | cut -f 1)
    if [ "$size" != "$before" ]; then
      before=$size last=$(date +%s)
    elif [ $(($(date +%s) - last)) -ge "$STALL" ]; then
      WHY="nothing came for $STALL s"
      stop_child
      return 1
    fi
  done
  wait "$CHILD"
  local status=$?
  CHILD=""
  [ $status -eq 0 ] || WHY="status $status"
  return $status
}

stop_child() {
  [ -n "$CHILD" ] || return 0
  kill -TERM -- "-$CHILD" 2>/dev/null
  sleep 1
  kill -KILL -- "-$CHILD" 2>/dev/null
  wait "$CHILD" 2>/dev/null
  CHILD=""
  sweep
}

# Halves of files that a killed script leaves: Python's names for temporary files.
sweep() {
  local part
  for part in original_sequences manipulated_sequences; do
    [ ! -d "$FOLDER/$part" ] || find "$FOLDER/$part" -type f -name 'tmp????????' -exec rm -f {} +
  done
}

check_all() {
  local names="" method again=""
  for method in $METHODS; do
    case $method in
      original) names="$names,youtube" ;;
      DeepFakeDetection_original) names="$names,actors" ;;
      *) names="$names,$method" ;;
    esac
  done
  while :; do
    torchfakes verify "$FOLDER" --methods "${names#,}" --compressions "$COMPRESSION" ${NUMBER:+--num-videos "$NUMBER"} \
      --complete ${MASKS:+--masks} ${REDO:+--delete-damaged} && return 0
    if [ -z "$REDO" ] || [ -n "$again" ]; then
      unlock
      exit $INCOMPLETE
    fi
    again=1
    say "fetching once more what was damaged or missing"
    download_all
  done
}

clean_up() {
  local status=$?
  trap - EXIT INT TERM
  stop_child
  [ -z "$PART" ] || rm -f "$PART"
  unlock
  exit "$status"
}

RETRIES=3 STALL=120 CHILD="" LOCK="" PART="" FOLDER=""
trap clean_up EXIT
trap 'exit 130' INT TERM

COMMAND=${1:-mini}
[ $# -eq 0 ] || shift
case $COMMAND in
  -h | --help) usage ;;
  mini) mini "$@" ;;
  splits) splits "$@" ;;
  ffpp) ffpp "$@" ;;
  weights) weights "$@" ;;
  verify) verify "$@" ;;
  *) fail $USAGE "there is no '$COMMAND' to get; there are mini, splits, ffpp, weights and verify (see --help)" ;;
esac

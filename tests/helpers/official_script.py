"""Stands in for the authors' download script in tests: the same interface, another server, tiny videos.

Only the interface is theirs (options, the key press, temporary files beside their targets, skipping what exists, ending
at the first error); the servers are folders of one local HTTP server, whose address is in an environment variable.
"""

import argparse
import json
import os
import tempfile
import urllib.request
from pathlib import Path

FOLDERS = {"original": "original_sequences/youtube", "DeepFakeDetection_original": "original_sequences/actors"}


def fetch(url: str, target: Path) -> None:
    """One file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file():
        print("skipping", target)
        return
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    os.close(handle)
    urllib.request.urlretrieve(url, temporary)
    Path(temporary).rename(target)


def main() -> None:
    """Fetch what the options name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("-d", "--dataset", default="all")
    parser.add_argument("-c", "--compression", default="raw", choices=["raw", "c23", "c40"])
    parser.add_argument("-t", "--type", default="videos", choices=["videos", "masks", "models"])
    parser.add_argument("-n", "--num_videos", type=int)
    parser.add_argument("--server", default="EU", choices=["EU", "EU2", "CA"])
    args = parser.parse_args()
    print("By pressing any key to continue you confirm that you have agreed to the terms of use")
    input("")
    base = f"{os.environ['STAND_IN_SERVER']}/{args.server}"
    folder = FOLDERS.get(args.dataset, f"manipulated_sequences/{args.dataset}")
    kind = "masks" if args.type == "masks" else args.compression
    names = json.loads(urllib.request.urlopen(f"{base}/list/{args.dataset}").read())
    for name in names[: args.num_videos]:
        fetch(f"{base}/{folder}/{kind}/videos/{name}.mp4", args.output / folder / kind / "videos" / f"{name}.mp4")


if __name__ == "__main__":
    main()

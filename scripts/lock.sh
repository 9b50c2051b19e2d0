#!/bin/sh
# Write constraints.txt anew: every package that the extras bring, at its newest version; torch stays pinned.
set -eu
torch=$(grep '^torch==' constraints.txt)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
# resolved, but not installed
"$folder/venv/bin/python" -m pip install --quiet --dry-run --report "$folder/report.json" "$torch" '.[train,dev,docs,fuzz]'
"$folder/venv/bin/python" - "$folder/report.json" "$torch" > "$folder/constraints.txt" << 'END'
import json, re, sys

with open(sys.argv[1], encoding="utf-8") as stream:
    found = [package["metadata"] for package in json.load(stream)["install"]]
pinned = {re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"] for package in found}
del pinned["gru-tagger"]
print("# Every package of the training and development environment, pinned; written by `make lock`.")
for name, version in sorted(pinned.items()):
    print(sys.argv[2] if name == "torch" else f"{name}=={version}")
END
mv "$folder/constraints.txt" constraints.txt

#!/bin/sh
# Write constraints.txt anew: every package that the extras bring, at its newest version; torch stays pinned.
set -eu
torch=$(grep '^torch==' constraints.txt)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet "$torch"
"$folder/venv/bin/python" -m pip install --quiet '.[train,dev,fuzz]'
{
    echo "# Every package of the training and development environment, pinned; written by \`make lock\`."
    "$folder/venv/bin/python" -m pip freeze --exclude tagger | sed 's/^torch==.*/'"$torch"'/' | grep -v ' @ '
} > "$folder/constraints.txt"
mv "$folder/constraints.txt" constraints.txt

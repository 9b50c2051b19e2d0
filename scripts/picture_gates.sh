#!/bin/sh
# Make docs/pictures/gates.png: the page of explain.py for a sentence, by a model (default: runs/latest/model).
set -eu
model=${1:-runs/latest/model}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
ln -s "$(cd "$model" && pwd)" "$folder/model"
script=$(cd "$(dirname "$0")" && pwd)/explain.py
python=$(command -v "${PYTHON:-python}")
(cd "$folder" && "$python" "$script" --model model --output gates.html \
    "Ada Lovelace met Charles Babbage in London, and Nadia Okafor of the University of Lagos spoke in Geneva." > table)
mkdir -p docs/pictures
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --disable-background-networking --force-device-scale-factor=1 \
    --user-data-dir="$folder/profile" --window-size=920,1400 --screenshot="$folder/gates.png" "file://$folder/gates.html" \
    2> "$folder/log" || { cat "$folder/log"; exit 1; }
mv "$folder/gates.png" docs/pictures/gates.png

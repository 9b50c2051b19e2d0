#!/bin/sh
# Make docs/tagged.png: two lines tagged by a model (default: runs/latest/model) as tag.py's HTML shows them.
set -eu
model=${1:-runs/latest/model}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/notes.txt" <<'TEXT'
Ada Lovelace met Charles Babbage in London, and Nadia Okafor of the University of Lagos spoke in Geneva.
is jordan still flying to jordan on friday? the Swiss couple from flat 3 asked, they want his Toyota
TEXT
"${PYTHON:-python}" tag.py --model "$model" --format html --quiet "$folder/notes.txt" > "$folder/tagged.html"
sed -i "s#$folder/##g" "$folder/tagged.html"
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --disable-background-networking \
    --user-data-dir="$folder/profile" --window-size=860,300 --screenshot="$folder/tagged.png" "file://$folder/tagged.html" \
    2> "$folder/log" || { cat "$folder/log"; exit 1; }
mv "$folder/tagged.png" docs/tagged.png

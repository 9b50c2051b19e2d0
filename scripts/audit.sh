#!/bin/sh
# Look up every package of constraints.txt in the list of known vulnerabilities (PyPI's); fails where one has some.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pip-audit
"$folder/venv/bin/pip-audit" --requirement constraints.txt --no-deps --disable-pip --strict --progress-spinner off "$@"

#!/bin/sh
# Writes constraints.txt anew: the newest versions of everything the tests need that pyproject.toml
# allows, as they are installed together into an empty environment.
set -eu

cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.venv/bin/python -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
{
    echo "# What the tests were run with; made by tools/constraints.sh, from Python $(
        "$folder/venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
    ). Newer ones may do as well."
    "$folder/venv/bin/python" -m pip freeze --disable-pip-version-check --exclude-editable
} >"$folder/constraints.txt"
mv "$folder/constraints.txt" constraints.txt
chmod 644 constraints.txt

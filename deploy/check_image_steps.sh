#!/usr/bin/env bash
# Does what the build stage of the Dockerfile does, without Docker: the very COPY and RUN lines, in a
# temporary directory instead of / and with the Python of this machine instead of Debian's. Then it
# starts the program as the image would. It cannot check the first stage (of Debian) and the last.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source=$PWD
limit_mib=245 # with what is of Debian (44 MB) the image stays below its 300 MB
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

command -v strip > /dev/null || { echo "missing: strip, of the package binutils" >&2; exit 1; }
mkdir "$work/build" "$work/python" "$work/rootfs"
ln -s "$(command -v "${PYTHON:-python3}")" "$work/python/python3.11" # as the image calls it
export PATH=$work/opt/tools/bin:$work/python:$PATH PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1

# The COPY and RUN lines of the build stage, one a line.
steps=$(sed -e ':join' -e '/\\$/{N;s/\\\n *//;bjoin' -e '}' Dockerfile \
    | awk '/^FROM/ {stage++} stage == 2 && /^(COPY|RUN) /')
echo "the image's build stage: $(wc -l <<< "$steps") steps"
while read -r instruction line; do
    echo "  $instruction $line"
    if [[ $instruction == COPY ]]; then
        read -ra words <<< "$line"
        target=$work/build/${words[-1]}
        for name in "${words[@]::${#words[@]}-1}"; do
            if [[ -d $source/$name ]]; then
                cp -r "$source/$name" "$target"
            else
                cp "$source/$name" "$target"
            fi
        done
    else
        (cd "$work/build" && bash -euo pipefail -c "$(sed "s,/opt/,$work&,g; s,/rootfs,$work&,g" <<< "$line")") \
            > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    fi
done <<< "$steps"

# As in the image: not from the checkout, and with nothing but the environment.
cd /
venv=$work/opt/anchorwatch/bin
for module in pip setuptools hatchling pytest; do
    if "$venv/python" -c "import $module" 2> /dev/null; then
        echo "the image would hold $module, which has no business there" >&2
        exit 1
    fi
done
"$venv/python" - "$source" <<'PYTHON'
import sys
from pathlib import Path

import service

installed, checkout = Path(service.__file__).parent.parent, Path(sys.argv[1])
imported_by_trainings = checkout / "service" / "python"  # packages of their own in the wheel


def place(path: Path) -> Path:
    within = imported_by_trainings if path.is_relative_to(imported_by_trainings) else checkout
    return installed / path.relative_to(within)


lost = [
    path.relative_to(checkout)
    for package in ("config", "detectors", "service")
    for path in (checkout / package).rglob("*")
    if path.is_file() and "__pycache__" not in path.parts and not place(path).is_file()
]
sys.exit(f"the wheel has lost {', '.join(map(str, lost))}" if lost else 0)
PYTHON
"$venv/anchorwatch" --version
"$venv/anchorwatch" --help > /dev/null
"$venv/anchorwatch" run --help > /dev/null
"$venv/anchorwatch" config show --config "$source/deploy/anchorwatch.yaml" > /dev/null
size=$(du -sm --apparent-size "$work/opt/anchorwatch" | cut -f1)
((size <= limit_mib)) || { echo "Python's part of the image takes $size MiB, more than $limit_mib" >&2; exit 1; }
echo "the program of the image starts ($size MiB)"

#!/usr/bin/env bash
# Does what the Dockerfile does, both stages, without Docker: in roots of Debian that debootstrap makes,
# with Python in /usr/local as the base image has it. Then it starts the program as the image would: as
# its user, with its environment, and tells the sizes. It takes root and some minutes:
#
#   sudo deploy/check_image_root.sh [DIRECTORY]    where the plain root is kept for the next time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kept=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/anchorwatch/debian-bookworm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ $(id -u) -eq 0 ]] || { echo "a root of Debian can be made by root alone" >&2; exit 1; }

if [[ ! -e $kept/usr/local/bin/pip ]]; then
    command -v debootstrap > /dev/null || { echo "missing: apt-get install debootstrap" >&2; exit 1; }
    mkdir -p "$kept"
    [[ -e $kept/usr/bin/python3 ]] || debootstrap --variant=minbase \
        --include=python3,python3-venv,ca-certificates bookworm "$kept" ${DEBIAN_MIRROR:-} > "$work/log" \
        || { tail "$work/log" >&2; exit 1; }
    chroot "$kept" python3 -m venv /usr/local
    rm -rf "$kept"/var/cache/apt/archives/*.deb "$kept"/var/lib/apt/lists/*
fi

# How this machine reaches the index of packages holds inside too, while something is installed.
network() { # root
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    for file in /etc/pip.conf ${PIP_CERT:-}; do
        [[ -f $file ]] && mkdir -p "$1$(dirname "$file")" && cp -L "$file" "$1$file"
    done
    true
}
steps() { # stage: its COPY and RUN lines, one a line
    sed -e ':join' -e '/\\$/{N;s/\\\n *//;bjoin' -e '}' Dockerfile \
        | awk -v wanted="$1" '/^FROM/ {stage++} stage == wanted && /^(COPY|RUN) /'
}
inside() { # root command
    chroot "$1" /usr/bin/env PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
        PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore \
        sh -euc "$2"
}

cp -a "$kept" "$work/build"
cp -a "$kept" "$work/image"
network "$work/build"
mkdir "$work/build/build"
echo "stage 1"
while read -r instruction line; do
    echo "  $instruction $line"
    if [[ $instruction == COPY ]]; then
        read -ra words <<< "$line"
        for name in "${words[@]::${#words[@]}-1}"; do
            cp -r "$name" "$work/build/build/${words[-1]}"
        done
    else
        inside "$work/build" "cd /build && $line" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    fi
done <<< "$(steps 1)"

echo "stage 2"
before=$(du -sm "$work/image" | cut -f1)
while read -r instruction line; do
    echo "  $instruction $line"
    if [[ $instruction == COPY ]]; then
        read -r _ from to <<< "$line"
        mkdir -p "$work/image$(dirname "$to")"
        cp -a "$work/build$from" "$work/image$to"
    else
        inside "$work/image" "$line" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    fi
done <<< "$(steps 2)"

user=$(sed -n 's/^USER //p' Dockerfile)
as_user() { # of the image, with nothing but its environment
    chroot --userspec="$user" "$work/image" /usr/bin/env -i PATH=/opt/anchorwatch/bin:/usr/local/bin:/usr/bin:/bin \
        PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 ${OPENBLAS_CORETYPE:+OPENBLAS_CORETYPE="$OPENBLAS_CORETYPE"} "$@"
}
as_user anchorwatch --version
as_user anchorwatch demo --port 0 --seconds 3 > /dev/null
writable=$(chroot --userspec="$user" "$work/image" find / -xdev -writable -type d \
    -not -path '/proc/*' -not -path '/tmp' -not -path '/var/tmp' -not -path '/run/lock' -not -path '/dev/*' 2> /dev/null || true)
[[ $writable == /var/lib/anchorwatch ]] || { echo "its user may write to: $writable" >&2; exit 1; }
if as_user python -m pip --version > /dev/null 2>&1; then
    echo "the image still has pip" >&2
    exit 1
fi
after=$(du -sm "$work/image" | cut -f1)
packed=$(tar -C "$work/image" -c opt | gzip | wc -c)
echo "Anchorwatch adds $((after - before)) MB on disk to its base image, $((packed / 1000000)) MB to be pulled"

#!/usr/bin/env bash
# Does what the Dockerfile does, every stage, without Docker: in roots of Debian that debootstrap makes,
# slim as the base image is. Then it starts the program as the image would: as its user, with its
# environment, nothing writable but its state. It fails when the image takes more than 300 MB on disk,
# and tells the digest of its files, which is the same each time. It takes root and some minutes:
#
#   sudo deploy/check_image_root.sh [DIRECTORY]    where the plain root is kept for the next time
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
limit_mb=300
kept=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/anchorwatch/debian-bookworm-slim}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[[ $(id -u) -eq 0 ]] || { echo "a root of Debian can be made by root alone" >&2; exit 1; }

if [[ ! -e $kept/etc/apt/sources.list.d/debian.sources ]]; then
    command -v debootstrap > /dev/null || { echo "missing: apt-get install debootstrap" >&2; exit 1; }
    rm -rf "$kept"
    mkdir -p "$kept"
    debootstrap --variant=minbase bookworm "$kept" ${DEBIAN_MIRROR:-} > "$work/log" \
        || { tail "$work/log" >&2; exit 1; }
    mirror=$(awk '$1 == "deb" {print $2; exit}' "$kept/etc/apt/sources.list")  # that debootstrap took
    # As the slim images of Debian: no documentation, and their sources.
    printf 'path-exclude /usr/share/%s/*\n' doc info man groff lintian linda locale > "$kept/etc/dpkg/dpkg.cfg.d/docker"
    printf 'path-include /usr/share/%s\n' 'doc/*/copyright' locale/locale.alias >> "$kept/etc/dpkg/dpkg.cfg.d/docker"
    find "$kept/usr/share/doc" -not -type d -not -name copyright -delete
    rm -rf "$kept"/usr/share/{info,man,groff,lintian,linda,locale} "$kept"/var/cache/apt/*.bin \
        "$kept"/var/cache/apt/archives/*.deb "$kept"/var/lib/apt/lists/* "$kept/etc/apt/sources.list"
    cat > "$kept/etc/apt/sources.list.d/debian.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: ${DEBIAN_SECURITY_MIRROR:-${mirror%/}-security}
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
fi

# How this machine reaches the index of packages holds inside too, while something is installed. Whom
# this machine trusts is not whom the image will trust.
machine=()
network() { # root
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    [[ -f /etc/pip.conf ]] && cp -L /etc/pip.conf "$1/etc/pip.conf"
    if [[ -f ${PIP_CERT:-} ]]; then
        cp -L "$PIP_CERT" "$1/machine.crt"
        machine+=(PIP_CERT=/machine.crt)
    fi
    for name in PIP_INDEX_URL PIP_DEFAULT_TIMEOUT http_proxy https_proxy no_proxy OPENBLAS_CORETYPE; do
        [[ -n ${!name:-} ]] && machine+=("$name=${!name}")
    done
    true
}
steps() { # stage: its ARG, ENV, COPY and RUN lines, one a line
    sed -e ':join' -e '/\\$/{N;s/\\\n *//;bjoin' -e '}' Dockerfile \
        | awk -v wanted="$1" '/^FROM/ {stage++} stage == wanted && /^(ARG|ENV|COPY|RUN) /'
}
given() { # NAME=VALUE of an ARG: what was given to this script, else the default
    local name=${1%%=*}
    printf '%s=%q' "$name" "${!name:-${1#*=}}"
}
do_stage() { # stage root: what the environment is for RUN ends up in $environment
    local stage=$1 root=$2 instruction line words name
    echo "stage $stage"
    while read -r instruction line; do
        [[ $instruction == RUN || $instruction == COPY ]] && echo "  $instruction $line"
        case $instruction in
            ARG) environment+="export $(given "$line"); " ;;
            ENV) environment+="export $line; " ;;
            COPY)
                read -ra words <<< "$line"
                if [[ ${words[0]} == --from=build ]]; then
                    mkdir -p "$root$(dirname "${words[2]}")"
                    cp -aT "$work/build${words[1]}" "$root${words[2]}"
                else
                    for name in "${words[@]::${#words[@]}-1}"; do
                        cp -r "$name" "$root/build/${words[-1]}"
                    done
                fi ;;
            RUN)
                chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
                    "${machine[@]}" sh -euc "$environment mkdir -p /build; cd /build; $line" > "$work/log" 2>&1 \
                    || { cat "$work/log" >&2; exit 1; } ;;
        esac
    done < <(steps "$stage")
}

cp -a "$kept" "$work/build"
network "$work/build"
environment=
do_stage 1 "$work/build"
environment=
do_stage 2 "$work/build"
mkdir "$work/image"
environment=
do_stage 3 "$work/image"
rmdir "$work/image/build"

tell() { tar -C "$work/image" --sort=name --numeric-owner -c "$@" .; }
size=$(tell | wc -c)
packed=$(tell | gzip | wc -c)
digest=$(tell --mtime=@0 | sha256sum | cut -c1-64)

# Started as the image would be: its user, its environment, of the machine no more than a container has.
user=$(sed -n 's/^USER //p' Dockerfile)
mkdir -m 1777 "$work/given"
as_user() { # command...
    unshare --mount --net --pid --fork sh -euc '
        image=$1 given=$2 user=$3 variables=$4
        shift 4
        ip link set lo up 2> /dev/null || true
        mount --bind "$image" "$image"
        mount -o remount,ro,bind "$image"
        mount --bind -o rw "$image/var/lib/anchorwatch" "$image/var/lib/anchorwatch"
        mount -o remount,rw,bind "$image/var/lib/anchorwatch"
        mount -t proc proc "$image/proc"
        mount --rbind /dev "$image/dev"
        mount --bind "$given" "$image/tmp"
        exec chroot --userspec="$user" "$image" /usr/bin/env -i sh -euc "$variables cd /; exec \"\$@\"" - "$@"
    ' - "$work/image" "$work/given" "$user" \
        "$environment ${OPENBLAS_CORETYPE:+export OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE;}" "$@"
}
cp deploy/image/try_it.py "$work/given/"
as_user anchorwatch --version
as_user python /tmp/try_it.py
writable=$(chroot --userspec="$user" "$work/image" find / -xdev -type d -perm -o+w \
    ! -path /tmp ! -path /var/tmp 2> /dev/null || true)
[[ -z $writable ]] || { echo "everybody may write to: $writable" >&2; exit 1; }
owned=$(find "$work/image" -xdev ! -uid 0)
[[ $owned == "$work/image/var/lib/anchorwatch" ]] || { echo "not of root: $owned" >&2; exit 1; }
for module in pip setuptools hatchling pytest; do
    if as_user python -c "import $module" 2> /dev/null; then
        echo "the image holds $module, which has no business there" >&2
        exit 1
    fi
done
echo "its files: sha256 $digest"
echo "$((size / 1000000)) MB on disk, $((packed / 1000000)) MB to be pulled"
((size <= limit_mb * 1000000)) || { echo "more than $limit_mb MB on disk" >&2; exit 1; }

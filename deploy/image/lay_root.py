"""Lays the root of the image: of Debian's packages what Anchorwatch runs on, and nothing else.

    lay_root.py DIRECTORY

Every package has the reason why it is there, every part left out of one the reason why it may be.
A package that is not installed, a pattern that nothing matches, a library that a part kept would
miss: each is an error, so that an upgrade of Debian is noticed where the image is built, not where
it runs. Files are Debian's to the byte. What the packages were is in /var/lib/dpkg/status.d, where
scanners of images look for it.
"""

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "base-files": "the directories of a root, /etc/os-release, the texts of licences",
    "busybox": "a shell and its tools for whoever looks inside",
    "ca-certificates": "whom TLS trusts unless told otherwise",
    "libbz2-1.0": "Python's bz2",
    "libc-bin": "the locale C.UTF-8, the configuration of names",
    "libc6": "the C library",
    "libexpat1": "Python's pyexpat",
    "libffi8": "Python's ctypes, which numpy and pyarrow import",
    "libgcc-s1": "exceptions of C++ and Rust",
    "liblzma5": "Python's lzma",
    "libpython3.11-minimal": "the standard library",
    "libpython3.11-stdlib": "the standard library",
    "libssl3": "TLS",
    "libstdc++6": "pyarrow, scipy",
    "libuuid1": "Python's uuid",
    "media-types": "what a web server calls its files",
    "netbase": "the names of protocols and services",
    "openssl": "its configuration, and where TLS looks for certificates",
    "python3.11": "Python",
    "python3.11-minimal": "Python",
    "tzdata": "time zones by their names",
    "zlib1g": "gzip",
}
LEFT_OUT = {
    "/etc/ca-certificates*": "certificates are in one file, made where the image is built",
    "/etc/update-motd.d*": "nobody logs in",
    "/usr/bin/openssl": "a program; the library is libssl3",
    "/usr/bin/c_rehash": "needs perl",
    "/usr/lib/ssl/misc*": "need perl",
    "/usr/bin/pdb3.11": "for developers",
    "/usr/bin/pydoc3.11": "for developers",
    "/usr/bin/pygettext3.11": "for developers",
    "/usr/share/pixmaps*": "no desktop",
    "/usr/share/applications*": "no desktop",
    "/usr/share/binfmts*": "nothing registers formats of programs",
    "/usr/lib/binfmt.d*": "nothing registers formats of programs",
    "/usr/share/base-files*": "templates of what a user's home would hold",
    "/usr/share/ca-certificates*": "certificates are in one file",
    "/usr/sbin/update-ca-certificates": "certificates are in one file",
    "/usr/share/lintian*": "for those who build packages",
    "/usr/share/man*": "nobody reads them here",
    "/usr/share/doc/*/[!c]*": "changes and notes; copyright stays",
    "/usr/share/doc/*/changelog*": "changes and notes; copyright stays",
    "/usr/share/zoneinfo/right*": "clocks that count leap seconds",
    "/usr/share/zoneinfo/posix*": "the same zones again",
    "/var/cache/ldconfig": "nothing is installed later on",
    "/etc/ssl/private": "no keys are kept here",
    "/usr/lib/ssl/private": "no keys are kept here",
    "/usr/lib/*/gconv*": "character sets of the C library; Python has its own",
    "/usr/bin/getconf": "for developers",
    "/usr/bin/iconv": "character sets of the C library",
    "/usr/bin/ldd": "needs bash",
    "/usr/bin/ld.so": "for developers",
    "/usr/bin/locale*": "there is one locale",
    "/usr/bin/pldd": "for developers",
    "/usr/bin/tzselect": "needs bash",
    "/usr/bin/zdump": "for developers",
    "/usr/sbin/iconvconfig": "character sets of the C library",
    "/usr/sbin/zic": "for developers",
    "/sbin/ldconfig": "nothing is installed later on",
    "/lib/*/lib*memusage.so": "for developers",
    "/lib/*/libpcprofile.so": "for developers",
    "/lib/*/libc_malloc_debug.so.0": "for developers",
    "/usr/lib/python3.11/pydoc_data*": "the texts of help()",
    "/usr/lib/python3.11/turtle.py": "draws on a screen",
    "*/lib-dynload/_crypt.*": "passwords of Unix users: libcrypt1",
    "*/lib-dynload/_curses*": "full screens of text: libncursesw6, libtinfo6",
    "*/lib-dynload/_dbm.*": "databases of Berkeley: libdb5.3",
    "*/lib-dynload/_sqlite3.*": "databases of SQLite: libsqlite3-0",
    "*/lib-dynload/nis.*": "yellow pages: libnsl2, libtirpc3, Kerberos",
    "*/lib-dynload/ossaudiodev.*": "sound",
    "*/lib-dynload/readline.*": "editing of lines: libreadline8",
    "*/lib-dynload/_*test*": "tests of Python",
    "*/lib-dynload/xxlimited*": "examples of Python",
}
APPLETS = (
    *("awk", "cat", "chmod", "chown", "cp", "cut", "date", "df", "diff", "du", "echo", "env"),
    *("find", "free", "grep", "gunzip", "gzip", "head", "hostname", "id", "kill", "less", "ln"),
    *("ls", "mkdir", "mv", "nslookup", "ping", "ps", "pwd", "rm", "sed", "sh", "sleep", "sort"),
    *("stat", "tail", "tar", "tee", "top", "touch", "tr", "uname", "uniq", "vi", "wc", "wget"),
    *("which", "xargs"),
)
USER = 10001
TEXTS = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
        f"anchorwatch:x:{USER}:{USER}::/nonexistent:/sbin/nologin\n"
    ),
    "etc/group": f"root:x:0:\nnogroup:x:65534:\nanchorwatch:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


def lay(root: Path) -> None:
    """Make `root`; raises SystemExit with what is missing."""
    listed = {package: _files_of(package) for package in PACKAGES}
    everything = sorted(set().union(*listed.values()))
    left_out = _left_out(everything)
    for name in ("bin", "lib", "lib64", "sbin"):
        if Path("/", name).is_symlink():
            (root / "usr" / name).mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(f"usr/{name}")
    for name in everything:
        if name not in left_out and not _is_kept_elsewhere(name):
            _copy(Path(name), root)
    for name in ("tmp", "var/tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(0o1777)
    for name, text in TEXTS.items():
        (root / name).write_text(text)
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    shutil.copy(bundle, root / bundle.relative_to("/"))
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Etc/UTC")
    _link_applets(root)
    _tell_scanners(root)
    _demand_libraries(root)


def _files_of(package: str) -> set[str]:
    done = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{package} is not installed, which is here for: {PACKAGES[package]}")
    return {line for line in done.stdout.splitlines() if re.fullmatch(r"/[^ ]+", line)} - {"/."}


def _left_out(names: list[str]) -> set[str]:
    """The files that patterns name; each pattern names some, be they there or not."""
    found: set[str] = set()
    for pattern, why in LEFT_OUT.items():
        matched = fnmatch.filter(names, pattern)
        if not matched:
            sys.exit(f"nothing is {pattern} any more, which was left out ({why}): see LEFT_OUT")
        found.update(matched)
    return found


def _is_kept_elsewhere(name: str) -> bool:
    return name in {"/bin", "/lib", "/lib64", "/sbin"} or name.startswith("/usr/games")


def _copy(path: Path, root: Path) -> None:
    target = root / path.relative_to("/")
    if path.is_symlink():
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_symlink():
            target.symlink_to(path.readlink())
    elif path.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        target.chmod(path.stat().st_mode & 0o7777)
    elif path.is_file():  # images of Debian leave documentation out that packages list
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def _link_applets(root: Path) -> None:
    has = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    if lost := set(APPLETS) - set(has.stdout.split()):
        sys.exit(f"busybox has no {', '.join(sorted(lost))} any more: see APPLETS")
    for applet in APPLETS:
        (root / "usr/bin" / applet).symlink_to("busybox")


def _tell_scanners(root: Path) -> None:
    told = root / "var/lib/dpkg/status.d"
    told.mkdir(parents=True)
    for package in PACKAGES:
        status = subprocess.run(
            ["dpkg-query", "--status", package], capture_output=True, text=True, check=True
        )
        (told / package).write_text(status.stdout)


def _demand_libraries(root: Path) -> None:
    """Whatever is kept finds every library it is linked with among what is kept."""
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.read_bytes()[:4] != b"\x7fELF":
            continue
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"^\s*(?:\S+ => )?(/\S+)", linked, re.MULTILINE):
            if library != str(path) and not (root / library.lstrip("/")).exists():
                sys.exit(f"{path} needs {library}, which no package in PACKAGES brings")


if __name__ == "__main__":
    os.umask(0o022)
    lay(Path(sys.argv[1]))

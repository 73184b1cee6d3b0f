"""Takes out of an environment what Anchorwatch never uses: the half of it that is not code it runs.

    /opt/anchorwatch/bin/python slim.py

works on the environment whose Python runs it. Every part has the reason why it may go. A part that
is not there any more is an error, so that an upgrade is noticed where the image is built. Whatever
was stripped is loaded once, with every function that it needs of others: a library may not survive
it.
"""

import ctypes
import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

PARTS = {
    "numpy/**/tests": "tests of numpy",
    "scipy/**/tests": "tests of scipy",
    "pyarrow/tests": "tests of pyarrow",
    "numpy/_core/_multiarray_tests.*": "tests of numpy",
    "numpy/_core/_simd.*": "tests of numpy: its loops have their own copy",
    "pyarrow/_pyarrow_cpp_tests.*": "tests of pyarrow",
    "**/*.pyi": "for checkers of types",
    "**/*.pyx": "for compilers: Cython",
    "**/*.pxd": "for compilers: Cython",
    "**/*.pxi": "for compilers: Cython",
    "**/*.[ch]": "for compilers: C",
    "**/*.a": "for linkers",
    "numpy/distutils": "builds extensions",
    "pyarrow/include": "for compilers: C++",
    "pyarrow/src": "for compilers: C++",
    "pyarrow/includes": "for compilers: Cython",
    "pyarrow/*flight*": "a protocol of servers of tables",
    "pyarrow/libarrow_s3.*": "reading from S3: files are read from directories",
    "pyarrow/_s3fs.*": "reading from S3",
    "pyarrow/*parquet_encryption.*": "encrypted Parquet: no key could be given",
    "pyarrow/libarrow_python.so": "a copy for linkers; programs load libarrow_python.so.<version>",
    "pyarrow/libarrow_python.so.*.*.*": "a copy for linkers",
    "pyarrow/_dataset*": "directories of files as one table: files are read one by one",
    "pyarrow/_orc.*": "ORC is not read",
    "pyarrow/_acero.*": "plans of queries: tables are read, and not joined",
    "pyarrow/_substrait.*": "plans of queries",
    "scipy/cluster": "not used, by river neither",
    "scipy/datasets": "not used, by river neither",
    "scipy/differentiate": "not used, by river neither",
    "scipy/fftpack": "not used, by river neither",
    "scipy/io/_fast_matrix_market/_fmm_core.*": "not used, by river neither",
    "scipy/misc": "not used, by river neither",
    "scipy/odr": "not used, by river neither",
    "scipy/signal": "not used, by river neither",
    "scipy/stats/_unuran/unuran_wrapper.*": "not used, by river neither",
    "river/datasets/*.csv*": "examples of data",
    "river/datasets/*.zip": "examples of data",
    "river/drift/datasets/*.csv": "examples of data",
    "zstandard/_cffi.*": "for Pythons other than CPython",
    "zstandard/backend_cffi.py": "for Pythons other than CPython",
}
"""What goes, as patterns below site-packages, and why it may."""

NAMES_ONLY = {
    "pyarrow/libarrow_acero.so.*": "plans of queries",
    "pyarrow/libarrow_dataset.so.*": "directories of files as one table",
    "pyarrow/libarrow_substrait.so.*": "plans of queries",
}
"""Libraries that others are linked with and use nothing of: their names become those of COMPUTE."""

COMPUTE = "pyarrow/libarrow_compute.so.*"

WHOLE = ("numpy.libs/*", "scipy.libs/*")
"""Libraries that do not load when stripped: what bundled them has moved their sections."""


def slim(packages: Path) -> None:
    """Take the parts out, strip, and make one of equal libraries; SystemExit says what is amiss."""
    for pattern, why in PARTS.items():
        for path in _found(packages, pattern, why):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    [compute] = _found(packages, COMPUTE, "calculations")
    for pattern, why in NAMES_ONLY.items():
        for path in _found(packages, pattern, why):
            path.unlink()
            path.symlink_to(compute.name)
    libraries = sorted(p for p in packages.rglob("*.so*") if p.is_file() and not p.is_symlink())
    _strip(packages, [p for p in libraries if not any(_is(packages, p, each) for each in WHOLE)])
    _link_equals([p for p in libraries if p.stat().st_size > 100_000])


def _found(packages: Path, pattern: str, why: str) -> list[Path]:
    found = sorted(packages.glob(pattern))
    if not found:
        sys.exit(
            f"{pattern} is not there any more ({why}): see what {Path(__file__).name} takes out"
        )
    return found


def _is(packages: Path, path: Path, pattern: str) -> bool:
    return path.relative_to(packages).match(pattern)


def _strip(packages: Path, libraries: list[Path]) -> None:
    """Without names for debuggers, which are a quarter of it; what is exported stays."""
    subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)
    sys.path[:] = [each for each in sys.path if each != str(Path(__file__).parent)]
    for package in sorted({path.relative_to(packages).parts[0] for path in libraries}):
        __import__(package.partition(".")[0])  # brings what its libraries are linked with
    for path in libraries:
        try:
            ctypes.CDLL(str(path), mode=os.RTLD_NOW)
        except OSError as error:
            sys.exit(f"{path} does not load any more: {error}")


def _link_equals(libraries: list[Path]) -> None:
    """Equal libraries of one name, which several wheels bundle, become one and links to it."""
    named = defaultdict(list)
    for path in libraries:
        named[path.name].append(path)
    for paths in named.values():
        for kept, other in pairwise(paths):
            if filecmp.cmp(kept, other, shallow=False):
                other.unlink()
                other.symlink_to(os.path.relpath(kept, other.parent))


if __name__ == "__main__":
    slim(Path(sysconfig.get_path("platlib")))

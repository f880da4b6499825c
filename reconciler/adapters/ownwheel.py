"""This program as a wheel, made from how it is installed: from a checkout, a wheel or an index."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import zipfile
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from reconciler.adapters.bundled import data_folders
from reconciler.errors import NeedsHuman

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("reconciler", "reconciler_ci")
_DATA = "_data"
_GENERATOR = "Generator: reconciler\n"
_WHEEL = f"Wheel-Version: 1.0\n{_GENERATOR}Root-Is-Purelib: true\nTag: py3-none-any\n"
_NAME = re.compile(rf"{PACKAGES[0]}-([0-9.]+)([^-]*)-.*\.whl")
_MAX_TEXT = 1 << 16
"""Bytes of a text in a wheel that is somebody's."""
_OWN_FILES = ("METADATA", "entry_points.txt", "licenses/LICENSE")


def build_wheel() -> tuple[str, bytes]:
    """The name of the wheel's file, and its bytes: the same for the same program. Raises `NeedsHuman`."""
    try:
        installed = metadata.distribution(PACKAGES[0])
        files = dict(_files(installed))
    except (metadata.PackageNotFoundError, OSError) as error:
        hint = "install it (pip install .), or do without the files for CI: --ci none"
        raise NeedsHuman("this program is not installed, so no wheel can be made of it", hint=hint) from error
    name = f"{PACKAGES[0]}-{installed.version}"
    record = f"{name}.dist-info/RECORD"
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in files.items()]
    files[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    return f"{name}-py3-none-any.whl", _zip(files)


class OtherWheels(Struct, frozen=True):
    """File names of further wheels of this program: older ones of `build_wheel`, and all others."""

    older: tuple[str, ...]
    others: tuple[str, ...]


def find_other_wheels(folder: Path, name: str) -> OtherWheels:
    """Wheels beside the one of that name, with which pip would not know which to install."""
    found = sorted(file.name for file in folder.glob(f"{PACKAGES[0]}-*.whl") if file.name != name)
    own = {other for other in found if _version(other) < _version(name) and _is_own(folder / other)}
    return OtherWheels(tuple(sorted(own)), tuple(other for other in found if other not in own))


def _version(name: str) -> tuple[tuple[int, ...], bool, str]:
    """What a wheel's name says, to compare: a pre-release is older than its release (PEP 440)."""
    found = _NAME.fullmatch(name)
    if found is None:
        return (), False, name
    numbers = tuple(int(part) for part in found[1].split(".") if part)
    return numbers, not found[2].startswith(("a", "b", "rc", "dev")), found[2]


def _is_own(file: Path) -> bool:
    """Whether `build_wheel` made a wheel."""
    try:
        with zipfile.ZipFile(file) as archive:
            texts = [one for one in archive.infolist() if one.filename.endswith(".dist-info/WHEEL")]
            return any(one.file_size < _MAX_TEXT and _GENERATOR.encode() in archive.read(one) for one in texts)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return False


def _files(installed: metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    for package in PACKAGES:
        found = util.find_spec(package)
        for place in (found.submodule_search_locations or ()) if found else ():
            yield from _below(Path(place), package)
    for name, folder in data_folders().items():
        yield from _below(folder, f"{PACKAGES[0]}/{_DATA}/{name}")
    own = f"{PACKAGES[0]}-{installed.version}.dist-info"
    for name in _OWN_FILES:
        text = installed.read_text(name)
        if text is not None:
            yield f"{own}/{name}", text.encode()
    yield f"{own}/WHEEL", _WHEEL.encode()


def _below(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if file.is_file() and path.parts[0] != _DATA and "__pycache__" not in path.parts:
            yield f"{name}/{path.as_posix()}", file.read_bytes()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _zip(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)  # dated 1980: the same bytes again
    return target.getvalue()

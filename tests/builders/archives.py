"""Zip files of several files, packed in the ways that programs use."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO

import pyarrow

ZSTD = 93


def zip_bytes(files: Mapping[str, bytes], *, zstd: bool = False) -> bytes:
    """A zip file, packed by deflate, or by zstd, which Python 3.11 cannot write itself."""
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            if not zstd:
                archive.writestr(name, content)
                continue
            archive.writestr(name, pyarrow.compress(content, codec="zstd", asbytes=True), zipfile.ZIP_STORED)
            info = archive.infolist()[-1]  # what is told here is written into the list at the end
            info.compress_type, info.file_size, info.CRC = ZSTD, len(content), zlib.crc32(content)
    return made.getvalue()

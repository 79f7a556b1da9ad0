"""Split JSON files of the shared data into one file a case, for a device with a small heap (CPython).

Layout, read by support.cases: OUT/NAME[/KEY...]/count and OUT/NAME[/KEY...]/0.json, 1.json, ...
Inside a case a hex string over LONG characters becomes {"file": PATH} of its raw bytes, a list of
more than LONG characters of JSON {"file": PATH} of one value a line.
"""

import json
import re
from pathlib import Path
from typing import Any

LONG = 8000
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


def split_file(source: Path, out: Path) -> None:
    """Split every list of objects in `source` that is reached through objects alone."""
    _split(json.loads(source.read_text()), out)


def _split(value: Any, folder: Path) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _split(inner, folder / key)
    elif isinstance(value, list):
        folder.mkdir(parents=True, exist_ok=True)
        for i, case in enumerate(value):
            (folder / f"{i}.json").write_text(json.dumps(_shrink(case, folder / str(i))))
        (folder / "count").write_text(str(len(value)))


def _shrink(value: Any, stem: Path) -> Any:
    if isinstance(value, dict):
        return {key: _shrink(inner, stem.with_name(f"{stem.name}.{key}")) for key, inner in value.items()}
    if isinstance(value, list):
        if len(json.dumps(value)) <= LONG:
            return value
        file = stem.with_name(stem.name + ".jsonl")
        file.write_text("".join(json.dumps(entry) + "\n" for entry in value))
        return {"file": str(file)}
    if isinstance(value, str) and len(value) > LONG and _HEX.fullmatch(value):
        file = stem.with_name(stem.name + ".bin")
        file.write_bytes(bytes.fromhex(value))
        return {"file": str(file)}
    return value

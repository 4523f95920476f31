"""Names under which scenes are published: their own, unless that is the name of a camera file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from builder.scene_names import safe_name

COUNTED = re.compile(r"-\d+$")
DIGEST_DIGITS = 10


def public_name(scene: str, original_paths: Iterable[str], first_sha256: str) -> str:
    """The scene's name; where it was taken from a file (`img_4711`), one made of the content's digest instead."""
    stems = {safe_name(_camera_stem(path)) for path in original_paths}
    if scene in stems or COUNTED.sub("", scene) in stems:
        return f"scene-{first_sha256[:DIGEST_DIGITS]}"
    return scene


def public_group(group: str, names: Mapping[str, str]) -> str:
    """The group's name; a group called like a scene takes that scene's published name."""
    return names.get(group, group)


def _camera_stem(path: str) -> str:
    """`originals/church/00-IMG_4711.jpg` -> `IMG_4711`: ingest puts the position before the camera's name."""
    return re.sub(r"^\d+-", "", PurePosixPath(path).stem)

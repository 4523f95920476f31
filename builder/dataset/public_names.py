"""Names under which scenes are published: their own, unless that is the name of a camera file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from builder.scene_names import safe_name

COUNTED = re.compile(r"-\d+$")
DIGEST_DIGITS = 10


def public_names(scenes: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> dict[str, str]:
    """Published name of every (scene, its originals as (path, SHA-256)), in the order given.

    A name that was taken from a camera file (`img_4711`) is replaced by one made of the originals' digest.
    """
    names: dict[str, str] = {}
    taken: set[str] = set()
    for scene, originals in scenes:
        name = scene
        if _is_camera_name(scene, [path for path, _ in originals]):
            digest = hashlib.sha256("".join(sha256 for _, sha256 in originals).encode()).hexdigest()
            name = f"scene-{digest[:DIGEST_DIGITS]}"
        while name in taken:
            name += "-again"  # the same files twice
        taken.add(name)
        names[scene] = name
    return names


def _is_camera_name(scene: str, paths: Sequence[str]) -> bool:
    stems = {safe_name(_camera_stem(path)) for path in paths}
    return scene in stems or COUNTED.sub("", scene) in stems


def public_group(group: str, names: Mapping[str, str]) -> str:
    """The group's name; a group called like a scene takes that scene's published name."""
    return names.get(group, group)


def _camera_stem(path: str) -> str:
    """`originals/church/00-IMG_4711.jpg` -> `IMG_4711`: ingest puts the position before the camera's name."""
    return re.sub(r"^\d+-", "", PurePosixPath(path).stem)

"""The rooms of the trainer and which may import which, held as data and checked on the source itself."""

from __future__ import annotations

from collections import defaultdict

from tests.test_architecture import modules_and_imports

# room, or module of the top -> what it imports beside itself. A line names only lines above it: no circles.
MAY_IMPORT: dict[str, set[str]] = {
    "exit_codes": set(),
    "exposure_kinds": set(),
    "settings": set(),
    "inputs": set(),
    "preprocessing": set(),
    "metrics": set(),
    "networks": {"inputs"},
    "losses": {"inputs"},
    "classical": {"exposure_kinds"},
    "checkpoint": {"exit_codes", "networks"},
    "dataset": {"exposure_kinds", "inputs", "preprocessing", "settings"},
    "training": {
        "checkpoint", "dataset", "exit_codes", "exposure_kinds", "inputs", "losses", "metrics", "networks",
        "settings",
    },
    "enhancement": {"checkpoint", "inputs", "preprocessing"},
    "exchange": {"inputs", "networks"},
    "evaluation": {
        "checkpoint", "classical", "dataset", "enhancement", "exposure_kinds", "metrics", "preprocessing",
    },
    "commands": {
        "checkpoint", "dataset", "enhancement", "evaluation", "exchange", "exit_codes", "networks", "settings",
        "training",
    },
    "__main__": {"exit_codes"},
}  # fmt: skip


def imports_between_rooms() -> dict[str, set[str]]:
    rooms = defaultdict(set)
    for module, targets in modules_and_imports().items():
        package, _, inside = module.partition(".")
        if package == "trainer" and inside:
            room = inside.split(".")[0]
            found = {target.split(".")[1] for target in targets if target.startswith("trainer.")}
            rooms[room] |= found - {room}
    return dict(rooms)


def test_rooms_import_just_what_is_said_of_them():
    assert imports_between_rooms() == MAY_IMPORT


def test_what_is_said_has_no_circle():
    above: set[str] = set()
    for room, imported in MAY_IMPORT.items():
        assert imported <= above, room
        above.add(room)

"""The directions of imports and the shape of the house, held as data and checked on the source itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("fusion_algos", "builder", "study_app", "trainer")

# package -> what it may import of the other packages (a package name allows all of it)
ALLOWED = {
    "fusion_algos": (),
    "builder": ("fusion_algos",),
    "study_app": ("builder.catalog", "builder.atomic_files"),
    # the files of a finished dataset and the manners of files and settings, not the catalog: it runs without a database
    "trainer": (
        "builder.images",
        "builder.atomic_files",
        "builder.dataset.finished",
        "builder.settings_tables",
        "fusion_algos.color",
        "fusion_algos.mef_ssim",
        "fusion_algos.stack",
        "fusion_algos.weighted_least_squares",
    ),
}
# room of study_app -> the rooms below it, all that its modules may import besides their own and GROUND
ROOMS = {
    "migrations": (),
    "statistics": (),
    "storage": ("migrations",),
    "web": ("storage",),
    "counting": ("storage", "statistics"),
    "preparation": ("storage", "statistics"),
    "rating": ("storage", "statistics", "counting", "web"),
    "outcomes": ("storage", "statistics", "counting", "preparation"),
    "keeping": ("storage", "counting", "preparation", "outcomes"),
    "simulation": ("storage", "rating"),
    "rater_pages": ("storage", "web", "preparation", "rating", "keeping"),
    "lab": ("storage", "web", "statistics", "counting", "preparation", "outcomes", "keeping"),
    "commands": ("storage", "statistics", "preparation", "outcomes", "keeping", "simulation"),
}
GROUND = ("clock", "settings")  # single modules of study_app, below all rooms
ABOVE = {"commands": ("serving",)}  # what a room may import of the modules that put the rooms together
# room -> packages that it may import besides the standard library and the rooms that it rests on
LIBRARIES = {
    "statistics": ("numpy", "scipy"),
    "storage": ("alembic", "builder", "sqlalchemy"),
    "counting": ("builder", "sqlalchemy"),
    "preparation": ("builder", "sqlalchemy", "werkzeug"),
    "rating": ("builder", "sqlalchemy"),
    "outcomes": ("builder", "jinja2", "markupsafe", "matplotlib", "pandas", "sqlalchemy"),
    "keeping": ("builder", "sqlalchemy"),
    "simulation": ("builder", "numpy", "sqlalchemy"),
}
IMPURE = (
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "time",
)
FORBIDDEN_NAMES = ("utils", "common", "helpers", "core", "base", "manager")
LIGHT = ("builder", "builder.catalog", "builder.settings", "builder.camera_metadata")


def imported_modules(source: str) -> Iterator[str]:
    """Dotted names of everything that a source text imports, wherever it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def forbidden_imports(package: str, source: str) -> list[str]:
    """The imports of a source text of `package` that ALLOWED does not allow."""
    own = (package, *ALLOWED[package])
    return [
        name
        for name in imported_modules(source)
        if name.split(".")[0] in PACKAGES
        and not any(name == allowed or name.startswith(f"{allowed}.") for allowed in own)
    ]


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_imports_go_one_way():
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources()
        for name in forbidden_imports(path.relative_to(ROOT).parts[0], path.read_text())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("package", "source", "forbidden"),
    [
        ("fusion_algos", "import builder.store", "builder.store"),
        ("fusion_algos", "def f():\n    from trainer import losses", "trainer.losses"),
        ("builder", "from study_app import models", "study_app.models"),
        ("study_app", "from builder import images", "builder.images"),
        ("trainer", "from builder.catalog import Scene", "builder.catalog.Scene"),
    ],
)
def test_a_planted_forbidden_import_is_found(package, source, forbidden):
    assert forbidden_imports(package, source) == [forbidden]


def test_allowed_imports_pass():
    assert not forbidden_imports("study_app", "from builder.catalog import Scene")
    assert not forbidden_imports("builder", "import numpy\nfrom fusion_algos import ALGORITHMS")


def imports_against_the_rooms(room: str, source: str) -> list[str]:
    """The imports of a source text of a room of study_app that ROOMS, LIBRARIES or IMPURE do not allow."""
    allowed = (room, *ROOMS[room], *GROUND, *ABOVE.get(room, ()))
    found = []
    for name in imported_modules(source):
        package, _, inside = name.partition(".")
        if package == "study_app":
            is_allowed = inside.split(".")[0] in allowed
        elif package in sys.stdlib_module_names:
            is_allowed = room != "statistics" or package not in IMPURE
        else:
            is_allowed = room not in LIBRARIES or package in LIBRARIES[room]
        if not is_allowed:
            found.append(name)
    return found


def test_rooms_of_the_study_rest_on_those_below_them():
    rooms = {path.parent.name for path in (ROOT / "study_app").glob("*/__init__.py")}
    assert rooms == set(ROOMS)
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for room in ROOMS
        for path in sorted((ROOT / "study_app" / room).rglob("*.py"))
        for name in imports_against_the_rooms(room, path.read_text())
    ]
    assert not found, "\n".join(found)


def test_no_two_rooms_rest_on_each_other():
    done: set[str] = set()
    while ready := {room for room, below in ROOMS.items() if room not in done and done.issuperset(below)}:
        done |= ready
    assert done == set(ROOMS)


@pytest.mark.parametrize(
    ("room", "source", "forbidden"),
    [
        ("statistics", "from study_app.storage.models import Vote", "study_app.storage.models.Vote"),
        ("statistics", "import sqlalchemy", "sqlalchemy"),
        ("statistics", "def f():\n    from pathlib import Path", "pathlib.Path"),
        ("rating", "from flask import request", "flask.request"),
        ("lab", "from study_app import serving", "study_app.serving"),
        ("rater_pages", "from study_app.lab import login", "study_app.lab.login"),
    ],
)
def test_a_planted_import_against_the_rooms_is_found(room, source, forbidden):
    assert imports_against_the_rooms(room, source) == [forbidden]


def test_imports_of_rooms_below_pass():
    assert not imports_against_the_rooms("counting", "from study_app.statistics.rule import Rule")
    assert not imports_against_the_rooms("statistics", "import math\nfrom numpy.typing import NDArray")
    assert not imports_against_the_rooms("commands", "from study_app import clock, serving")


def modules_and_imports() -> dict[str, set[str]]:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sources()}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {}
    for name, path in names.items():
        targets = set()
        for target in imported_modules(path.read_text()):
            module = target if target in names else target.rpartition(".")[0]
            if module in names and module != name:
                targets.add(module)
        graph[name] = targets
    return graph


def test_no_module_imports_itself_in_a_circle():
    graph = modules_and_imports()

    def circle_from(name: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in path:
            return (*path[path.index(name) :], name)
        if name in settled:
            return None
        for target in sorted(graph[name]):
            found = circle_from(target, (*path, name))
            if found:
                return found
        settled.add(name)
        return None

    settled: set[str] = set()
    circles = [circle for name in graph if (circle := circle_from(name, ()))]
    assert not circles, " -> ".join(circles[0])


def test_no_module_has_a_name_that_says_nothing():
    vague = [str(path.relative_to(ROOT)) for path in sources() if path.stem in FORBIDDEN_NAMES]
    assert not vague


def test_one_broad_except_in_the_whole_project():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in BROAD))
    ]
    assert [place.split(":")[0] for place in found] == ["builder/pipeline.py"], found


BROAD = ("Exception", "BaseException")


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_load_neither_numpy_nor_cv2(module):
    code = f"import sys, {module}; print(*sorted({{'numpy', 'cv2', 'numba', 'pandas'}} & set(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert answer.stdout.strip() == ""


def test_help_loads_only_what_it_needs():
    """`python -m builder --help` is quick because nothing heavy is imported; the time itself is not asserted."""
    code = (
        "import sys, runpy\nsys.argv = ['builder', '--help']\n"
        "try:\n    runpy.run_module('builder', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted({'numpy', 'cv2', 'numba', 'pandas', 'sqlalchemy', 'PIL'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "build" in answer.stdout
    assert answer.stdout.strip().splitlines()[-1] == "LOADED"


def test_every_make_target_is_listed_by_help():
    makefile = (ROOT / "Makefile").read_text()
    phony = next(line for line in makefile.splitlines() if line.startswith(".PHONY:")).split()[1:]
    listed = subprocess.run(["make", "help"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert [target for target in phony if f"make {target} " not in listed] == []

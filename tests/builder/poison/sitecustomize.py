"""Python runs this at start where the folder is on PYTHONPATH: makes one algorithm of one scene do harm.

FOUNDRY_TEST_POISON is `scene:algorithm:deed`, deed one of raise, kill, hang, starve. It reaches spawned
workers, which a patched test process would not.
"""

import os
import signal
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

TARGET = "builder.stages.fuse"


def _do_harm(deed: str) -> None:
    if deed == "raise":
        raise ArithmeticError("the poisoned algorithm divides by zero")
    if deed == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "hang":
        signal.pause()
    if deed == "starve":
        bytearray(1 << 44)


class _Poisoner(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != TARGET:
            return None
        spec = PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            fuse, (scene, algorithm, deed) = (
                module.fuse_candidate,
                os.environ["FOUNDRY_TEST_POISON"].split(":"),
            )

            def poisoned(store, recipe, stack, moving):
                if (recipe.scene, recipe.label) == (scene, algorithm):
                    _do_harm(deed)
                return fuse(store, recipe, stack, moving)

            module.fuse_candidate = poisoned

        spec.loader.exec_module = exec_module
        return spec


if os.environ.get("FOUNDRY_TEST_POISON"):
    sys.meta_path.insert(0, _Poisoner())

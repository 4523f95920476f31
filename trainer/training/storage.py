"""When a run stores what: a full disk is a warning while there is another try, an error at the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builder.atomic_files import CannotWrite
from trainer.checkpoint import best_file, remove_old, step_file, write_checkpoint
from trainer.training.state import TrainingState

log = logging.getLogger("trainer")


@dataclass
class Storage:
    """The checkpoints of a run folder; only one process `writes`, the others believe that it could."""

    run: Path
    writes: bool
    unsaved: CannotWrite | None = field(default=None, init=False)  # why the last try failed

    def save(self, state: TrainingState) -> None:
        """Store all of it, and remove checkpoints that need not be kept."""
        if self._written(step_file(self.run, state.step), state.as_document()) and self.writes:
            remove_old(self.run, keep_every=state.settings.run.keep_every)

    def keep_best(self, state: TrainingState, score: float) -> None:
        """Store the evaluated weights; before the checkpoint, so that a run killed in between does it again."""
        before, state.best = state.best, {"step": state.step, "score": score}
        if not self._written(best_file(self.run), state.best_document()):
            state.best = before

    def require_saved(self) -> None:
        """CannotWrite if the last try failed."""
        if self.unsaved is not None:
            raise self.unsaved

    def _written(self, path: Path, content: Mapping[str, Any]) -> bool:
        try:
            if self.writes:
                write_checkpoint(path, content)
            self.unsaved = None
        except CannotWrite as error:
            log.warning("%s. The run goes on and tries again", error)
            self.unsaved = error
        return self.unsaved is None

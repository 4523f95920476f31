"""`python -m trainer`: from an exported dataset to a network, its table of figures, and enhanced photographs."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from trainer.exit_codes import INTERRUPTED, STORAGE, WRONG_USAGE

# command -> one line of help; its module trainer.commands.<name> is loaded when it is called: PyTorch takes seconds
COMMANDS = {
    "train": "Train a network on an exported dataset; the same command resumes.",
    "evaluate": "One table over trained networks and classical baselines.",
    "enhance": "Enhance photographs of any size.",
    "import-caffe": "Make a run folder of weights that the SICE authors released.",
    "export-onnx": "Write a trained network as ONNX.",
}


class Commands(click.Group):
    """Loads a command when it is called; turns errors that a person can mend into a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command `<name>` of its module."""
        if name not in COMMANDS:
            return None
        return import_module(f"trainer.commands.{name.replace('-', '_')}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list for --help, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a defect of the program itself still shows its traceback."""
        from builder.atomic_files import CannotWrite

        try:
            return super().invoke(ctx)
        except CannotWrite as error:
            _fail(ctx, error, STORAGE)
        except (ValueError, OSError, ModuleNotFoundError) as error:
            _fail(ctx, error, getattr(error, "exit_code", WRONG_USAGE))
        except KeyboardInterrupt:
            _fail(ctx, "interrupted: the same command goes on from the last checkpoint", INTERRUPTED)


def _fail(ctx: click.Context, error: object, code: int) -> None:
    click.echo(f"error: {error}" if isinstance(error, Exception) else str(error), err=True)
    ctx.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="contrast-foundry", prog_name="contrast-foundry")
def main() -> None:
    """From an exported dataset to a network that repairs contrast."""


if __name__ == "__main__":
    sys.exit(main(prog_name="python -m trainer"))

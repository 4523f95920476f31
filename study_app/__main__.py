"""`python -m study_app`: raters look, people decide, references are written."""

from __future__ import annotations

from typing import Any

import click

from study_app.commands import keeping, outcomes, preparing, simulation

WRONG_USAGE, INTERRUPTED = 2, 130


class Commands(click.Group):
    """Turns errors that a person can mend into a sentence and exit code 2, Ctrl-C into 130."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a defect of the program itself still shows its traceback."""
        from builder.catalog import CatalogError

        try:
            return super().invoke(ctx)
        except (ValueError, OSError, CatalogError, ModuleNotFoundError) as error:
            click.echo(f"error: {error}", err=True)
            ctx.exit(WRONG_USAGE)
        except KeyboardInterrupt:
            click.echo("interrupted: every vote that was acknowledged is stored", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which a study goes, not by the alphabet."""
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="contrast-foundry", prog_name="contrast-foundry")
def main() -> None:
    """People choose, blind, the best picture of each scene; `decide` turns their votes into references."""


for command in (
    preparing.serve,
    preparing.create,
    preparing.open_command,
    preparing.close_command,
    preparing.create_admin,
    preparing.invite,
    simulation.plan,
    simulation.simulate_raters,
    outcomes.results,
    outcomes.decide,
    outcomes.report,
    outcomes.export,
    outcomes.check_export,
    keeping.backup,
    keeping.restore_check,
    keeping.withdraw,
    keeping.erase,
    keeping.expire,
):
    main.add_command(command)


if __name__ == "__main__":
    main()

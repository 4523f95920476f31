"""`python -m builder`: from camera files to aligned scenes and candidate images."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from builder.settings import Settings, load_settings

if TYPE_CHECKING:
    from builder.commands.report import Report

SOMETHING_FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
Function = TypeVar("Function", bound=Callable[..., Any])


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
            click.echo("interrupted: nothing finished is lost, the same command goes on from here", err=True)
            ctx.exit(INTERRUPTED)


@dataclass(frozen=True)
class Workspace:
    """The data folder and the settings of one call."""

    data: Path
    settings: Settings
    as_json: bool

    def finish(self, report: Report) -> NoReturn:
        """Print tables (as JSON for programs) and lines, then leave with the exit code."""
        from builder.commands.report import as_text

        if self.as_json:
            print(
                json.dumps(
                    {title: table.to_dict("records") for title, table in report.tables.items()}, indent=1
                )
            )
        else:
            for title, table in report.tables.items():
                print(f"\n{title}\n{as_text(table)}")
        for line in report.lines:
            click.echo(line, err=self.as_json)
        sys.exit(SOMETHING_FAILED if report.failed else 0)


def _options(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


PATH: Any = click.Path(path_type=Path)
workspace_options = _options(
    click.option("--data", type=PATH, default=Path("data"), show_default=True, help="The dataset's folder."),
    click.option("--config", type=PATH, help="Settings file.  [default: DATA/project.toml if present]"),
    click.option("--json", "as_json", is_flag=True, help="Tables as JSON on standard output."),
    click.option("-v", "--verbose", is_flag=True, help="More log lines."),
)
selection_options = _options(
    click.option("--only", multiple=True, metavar="SCENE", help="Only this scene; also retries quarantine."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N scenes."),
    click.option("--shard", metavar="i/n", help="Only part i of n; writes files, not the catalog."),
)
grouping_options = _options(
    click.option("--by", type=click.Choice(["folder"]), help="Each folder is one sequence."),
    click.option("--size", type=click.IntRange(min=2), metavar="N", help="Every N shots are one sequence."),
    click.option("--ev-step", type=float, metavar="S", help="Exposure step where the files do not tell."),
)


ingest_options = _options(
    click.option("--link", is_flag=True, help="Hard-link the originals instead of copying them."),
    click.option("--include-ambiguous", is_flag=True, help="Take the ambiguous sequences too."),
)
strict_option = click.option("--strict", is_flag=True, help="Exit 1 if a sequence is ambiguous or rejected.")


@contextmanager
def _workspace(data: Path, config: Path | None, as_json: bool, verbose: bool) -> Iterator[Workspace]:
    from builder.commands.progress import plain_logging

    default = data / "project.toml"
    settings = load_settings(config or (default if default.exists() else None))
    with plain_logging(verbose):
        yield Workspace(data.resolve(), settings, as_json)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="contrast-foundry", prog_name="contrast-foundry")
def main() -> None:
    """From bracketed photographs to aligned scenes with candidate images."""


@main.command()
@click.argument("directories", nargs=-1, required=True, type=PATH)
@grouping_options
@strict_option
@workspace_options
def scan(
    directories: tuple[Path, ...],
    by: str | None,
    size: int | None,
    ev_step: float | None,
    strict: bool,
    **options: Any,
) -> None:
    """Read camera files, group them, write DATA/sequences.csv."""
    from builder.commands.intake import GroupingChoice, scan_sources

    with _workspace(**options) as here:
        choice = GroupingChoice(by, size, ev_step)
        here.finish(scan_sources(here.data, here.settings, directories, choice).report(strict=strict))


@main.command()
@ingest_options
@workspace_options
def ingest(link: bool, include_ambiguous: bool, **options: Any) -> None:
    """Take the accepted sequences of DATA/sequences.csv into the dataset."""
    from builder.commands.intake import ingest_sequences

    with _workspace(**options) as here:
        report = ingest_sequences(here.data, here.settings, link=link, include_ambiguous=include_ambiguous)
        here.finish(report)


@main.command()
@click.argument("source", nargs=-1, type=PATH)
@click.option("--simulated", is_flag=True, help="Simulate brackets first and build those.")
@grouping_options
@ingest_options
@selection_options
@click.option("--executor", metavar="WHERE", help="serial, local, local:N or dask:tcp://HOST:PORT.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="The same as --executor local:N.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Limit of one algorithm on one scene.")
@click.option("--memory", type=float, metavar="GB", help="Limit of one worker.")
@click.option("--scale", metavar="1/4", help="Build from reduced frames, for a quick trial.")
@click.option("--dry-run", is_flag=True, help="Say what would be done and write nothing.")
@strict_option
@workspace_options
def build(
    data: Path, config: Path | None, as_json: bool, verbose: bool, source: tuple[Path, ...], **options: Any
) -> None:
    """Make everything: scan and ingest SOURCE if given, then align, fuse and preview what is not done."""
    from builder.commands.build import BuildRequest, run_build

    with _workspace(data, config, as_json, verbose) as here:
        here.finish(run_build(here.data, here.settings, BuildRequest(source=source, **options)))


main.add_command(build, "run")


@main.command()
@click.option("--verify", is_flag=True, help="Hash every derived file again and compare.")
@workspace_options
def status(verify: bool, **options: Any) -> None:
    """Scenes and stages; failures with their reasons."""
    from builder.commands.status import dataset_status

    with _workspace(**options) as here:
        here.finish(dataset_status(here.data, here.settings, verify=verify))


@main.command("import-candidates")
@click.argument("folder", type=PATH)
@click.option("--name", required=True, help="Name of the program or method that made them.")
@workspace_options
def import_candidates(folder: Path, name: str, **options: Any) -> None:
    """Take FOLDER/<scene>.* made elsewhere as further candidates."""
    from builder.commands.import_candidates import import_folder

    with _workspace(**options) as here:
        here.finish(import_folder(here.data, here.settings, folder, name))


@main.command("contact-sheet")
@selection_options
@workspace_options
def contact_sheet(only: tuple[str, ...], limit: int | None, shard: str | None, **options: Any) -> None:
    """Write DATA/contact_sheets/<scene>.jpg: exposures and candidates of a scene on one page."""
    from builder.build import Selection
    from builder.commands.contact_sheet import write_contact_sheets

    with _workspace(**options) as here:
        here.finish(write_contact_sheets(here.data, here.settings, Selection.parse(only, limit, shard)))


@main.command()
@click.option("--output", type=PATH, help="Where to write.  [default: DATA/simulated]")
@click.option("--seed", type=int, default=2018, show_default=True)
@click.option("--size", default="960x640", show_default=True, metavar="WxH", help="Size of a frame.")
@click.option("--count", type=click.IntRange(min=1), default=6, show_default=True, help="Number of scenes.")
@workspace_options
def simulate(output: Path | None, seed: int, size: str, count: int, **options: Any) -> None:
    """Write simulated brackets with their truth: the embedded default input."""
    from builder.commands.intake import parse_size, simulate_brackets

    with _workspace(**options) as here:
        here.finish(simulate_brackets(output or here.data / "simulated", seed, parse_size(size), count))


@main.command()
@click.option("--executor", metavar="WHERE", help="Also ask these workers.")
@workspace_options
def doctor(executor: str | None, **options: Any) -> None:
    """Check versions, libraries, memory, disk, database and workers."""
    from builder.commands.doctor import examine

    with _workspace(**options) as here:
        here.finish(examine(here.data, here.settings.replaced("run", executor=executor)))


@main.command()
@click.option("--output", type=PATH, help="Where to put the folder of this version.  [default: DATA/exports]")
@click.option(
    "--version", metavar="V", help="Name of this version.  [default: export.version of the settings]"
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="NAME",
    help="A view for other programs, or none.  [default: sice]",
)
@click.option(
    "--reference", metavar="algorithm:NAME", help="Without people: take this algorithm's candidates."
)
@click.option(
    "--exact-splits", is_flag=True, help="Exactly the shares of train, val, test instead of by hash."
)
@click.option("--archive", type=click.Choice(["tar", "zip"]), help="Also pack it into one file.")
@click.option("--hdr", is_flag=True, help="Add the merged linear pictures (OpenEXR); triplets need them.")
@click.option("--candidates", is_flag=True, help="Add all candidates, not only the references.")
@workspace_options
def export(
    output: Path | None,
    formats: tuple[str, ...],
    archive: str | None,
    hdr: bool,
    candidates: bool,
    data: Path,
    config: Path | None,
    as_json: bool,
    verbose: bool,
    **options: Any,
) -> None:
    """Write the dataset: inputs, references, splits, tables, datasheet. Never overwrites one."""
    from builder.commands.export import Views, run_export
    from builder.dataset.scene_files import Extras
    from builder.stages.export import ExportRequest

    with _workspace(data, config, as_json, verbose) as here:
        folder = (output or here.data / "exports").resolve()
        request = ExportRequest(
            output=folder, extras=Extras(hdr or "triplets" in formats, candidates), **options
        )
        here.finish(run_export(here.data, here.settings, request, Views(formats, archive)))


@main.command()
@click.option("--dataset", type=PATH, help="An export.  [default: the newest of DATA/exports]")
@click.option("--evaluation", type=PATH, metavar="DIR", help="Folder of python -m trainer evaluate.")
@click.option("--model", type=PATH, metavar="RUN", help="Folder of python -m trainer train.")
@click.option(
    "--enhanced", type=PATH, metavar="DIR", help="Inputs of a split, enhanced by python -m trainer enhance."
)
@click.option("--output", type=PATH, required=True, metavar="FILE.html", help="The page to write.")
@workspace_options
def story(
    dataset: Path | None,
    evaluation: Path | None,
    model: Path | None,
    enhanced: Path | None,
    output: Path,
    **options: Any,
) -> None:
    """Write one page that shows all of a run: brackets, candidates, picks, dataset, network, results."""
    from builder.commands.story import StoryRequest, write_story

    with _workspace(**options) as here:
        here.finish(write_story(here.data, StoryRequest(output, dataset, evaluation, model, enhanced)))


@main.command()
@click.option("--yes", is_flag=True, help="Delete what is listed.")
@workspace_options
def prune(yes: bool, **options: Any) -> None:
    """List what no row mentions and nothing needs; --yes deletes it. Never originals or exports."""
    from builder.commands.prune import prune_dataset

    with _workspace(**options) as here:
        here.finish(prune_dataset(here.data, here.settings, delete=yes))


if __name__ == "__main__":
    main()

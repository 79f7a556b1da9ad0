"""The command `lightclient`. Contracts (options, exit codes, JSON fields) are tested in tests/host_bridge/commands/."""

import sys
from typing import Annotated, Any

import typer

from host_bridge.commands import bridge as cli_bridge
from host_bridge.commands import checkpoint as cli_checkpoint
from host_bridge.commands import demo as cli_demo
from host_bridge.commands import doctor as cli_doctor
from host_bridge.commands import emulate as cli_emulate
from host_bridge.commands import headers as cli_headers
from host_bridge.commands import pair as cli_pair
from host_bridge.commands import proofs as cli_proofs
from host_bridge.commands import store as cli_store
from host_bridge.commands.common import Commands, end_if_output_failed, output_failed, say, speak_any_encoding
from lightclient import __version__


class _Program(Commands):
    """Help that can't be written (a full disk, a closed pipe) ends in one line too, as all else does."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        speak_any_encoding()
        try:
            super().__call__(*args, **kwargs)
        except OSError as error:
            sys.exit(output_failed(error))
        finally:
            try:
                end_if_output_failed()
            except typer.Exit as end:
                sys.exit(end.exit_code)


app = _Program(
    name="lightclient",
    help="Bitcoin light client for microcontrollers: check headers, make and verify payment proofs, try a device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: its tables leave no room for the words at 80 columns
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        say(f"lightclient {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


app.add_typer(cli_headers.app, name="headers")
app.add_typer(cli_checkpoint.app, name="checkpoint")
app.add_typer(cli_store.app, name="store")
app.command("prove", epilog=cli_proofs.PROVE_EXAMPLES)(cli_proofs.prove)
app.command("verify", epilog=cli_proofs.VERIFY_EXAMPLES)(cli_proofs.verify)
app.command("emulate", short_help=cli_emulate.SHORT_HELP, epilog=cli_emulate.EXAMPLES)(cli_emulate.emulate)
app.command("pair", short_help=cli_pair.SHORT_HELP, epilog=cli_pair.EXAMPLES)(cli_pair.pair)
app.command("bridge", short_help=cli_bridge.SHORT_HELP, epilog=cli_bridge.EXAMPLES)(cli_bridge.bridge)
app.command("doctor", short_help=cli_doctor.SHORT_HELP, epilog=cli_doctor.EXAMPLES)(cli_doctor.doctor)
app.command("demo", short_help=cli_demo.SHORT_HELP, epilog=cli_demo.EXAMPLES)(cli_demo.demo)

if __name__ == "__main__":
    app()

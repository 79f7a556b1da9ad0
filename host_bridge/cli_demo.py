import typer


def demo() -> None:
    raise typer.Exit(0)

"""How the command line ends when something went wrong: a sentence instead of a traceback, and the exit code of the error."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from vestige.errors import UsageError, VestigeError
from vestige.text import terminal_safe


class Verbs(click.Group):
    """Prints the errors of the house without a traceback and ends with their exit code.

    Only a verdict ends with 1 or 3: a release gate would take anything else that did for one.
    """

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the words of a command; those that do not fit end with the code of a bad plan."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            error.exit_code = UsageError.exit_code  # type: ignore[misc]
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Carry a command out, and end with what its error says."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            error.exit_code = UsageError.exit_code  # type: ignore[misc]
            raise
        except (click.ClickException, click.exceptions.Exit):
            raise
        except click.Abort:
            _end(ctx, "stopped; nothing was changed", 130)
        except KeyboardInterrupt:
            _end(ctx, "stopped; completed cells are kept: run the same command to go on", 130)
        except VestigeError as error:
            _end(ctx, terminal_safe(str(error)), error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output went away: nobody is left to tell
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                ctx.exit(2)
            _end(ctx, terminal_safe(f"{error.filename or 'input or output'}: {error.strerror or error}"), 2)
        except Exception:
            traceback.print_exc()
            _end(ctx, "this is a bug; please report it with the lines above", 2)


def one_key(key_from: Path | None, reuse: Path | None) -> None:
    """Refuse two options that both give a run its key."""
    if key_from and reuse:
        raise click.UsageError("--key-from and --reuse: the key comes with what is reused; leave --key-from out")


def _end(ctx: click.Context, says: str, code: int) -> None:
    click.echo(f"vestige: {says}", err=True)
    ctx.exit(code)

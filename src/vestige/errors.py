"""Every error Vestige raises on purpose.

    VestigeError                 anything below; the command line prints it without a traceback
    ├── UsageError               a bad plan, option or name                      exit 4
    │   └── PlanError            the plan file: key, value seen, what was expected
    ├── DataError                a case, row or probe that cannot be used: file:line, field, remedy   exit 4
    ├── ModelError               a model that is missing, unsafe or unsupported  exit 2
    ├── LedgerError              a ledger that is broken or was tampered with     exit 2
    └── RunError                 a run that could not go on                       exit 2

A message says what was wrong, where, the value seen and what was expected.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class VestigeError(Exception):
    """Base of every deliberate error; `exit_code` is what the shell sees."""

    exit_code = 2


class UsageError(VestigeError):
    """The user asked for something that does not exist or does not fit."""

    exit_code = 4


class PlanError(UsageError):
    """A plan file does not say what a plan must say."""


class DataError(VestigeError):
    """A case, a row or a probe cannot be used as it is."""

    exit_code = 4


class ModelError(VestigeError):
    """A model is missing, unsafe to load or of an unsupported kind."""


class LedgerError(VestigeError):
    """A ledger is broken, incomplete or was changed after it was written."""


class RunError(VestigeError):
    """A run could not go on."""


def cannot_write(path: Path, error: OSError) -> RunError:
    """Return the error of a run whose file could not be written, with the remedy: nearly always the disk is full."""
    return RunError(f"{path}: could not write ({error.strerror}); free some space and run the same command again: completed cells are kept")


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return a sentence naming the valid choice closest to `name`."""
    choices = sorted(valid)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"expected one of: {', '.join(choices)}"

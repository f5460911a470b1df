"""The model that writes relearn sets in a run: `[writer]` of a plan, opened as a `Target` when it is first needed.

Either a model behind an OpenAI-compatible address (`url` and `model`), or weights on this machine (`local`). What it writes is kept
with the run (`written_sets`), so it is asked once. The key of an endpoint is read from the environment variable that `key_env` names;
neither the key nor that name enters the ledger.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, Literal

from vestige.endpoints import Endpoint
from vestige.errors import PlanError, UsageError
from vestige.records import Form, plain
from vestige.target import Target

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_REMOTE, _LOCAL = ("url", "model", "api", "key_env"), ("local", "form")


@dataclass(frozen=True)
class Writer:
    """Who writes the relearn sets that a model must write: `url` and `model` of an endpoint, or a `local` model."""

    url: str = ""
    model: str = ""
    api: Literal["chat", "completions"] = "chat"
    key_env: str = ""
    local: str = ""
    form: Form | None = None

    def described(self) -> dict[str, Any]:
        """Return who writes, for the ledger, without where the key is."""
        fields = _LOCAL if self.local else ("url", "model", "api")
        return {name: plain(getattr(self, name)) for name in fields}

    def check(self) -> None:
        """Refuse a table that names no writer, or two.

        Raises:
            PlanError: which key, and what was expected.
        """
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        given = [name for name in defaults if getattr(self, name) != defaults[name]]
        unread = [name for name in given if name in (_REMOTE if self.local else _LOCAL)]
        if not self.local and not self.url:
            raise PlanError("[writer]: expected url and model of an OpenAI-compatible endpoint, or local, a model on this machine")
        if unread:
            other = "local" if self.local else "url"
            raise PlanError(f"key 'writer.{unread[0]}': a writer with the key {other!r} does not read it; remove one of the two")
        if self.key_env and not _VARIABLE.fullmatch(self.key_env):  # not repeated: it may be the key itself
            raise PlanError("key 'writer.key_env': expected the name of an environment variable that holds the key, such as WRITER_KEY")
        if self.url:
            self._endpoint()

    def opened(self, device: str) -> Target:
        """Return the model, ready to be asked; weights are loaded here.

        Raises:
            ModelError: weights that cannot be loaded.
        """
        if self.url:
            return self._endpoint()
        from vestige.lab import models
        from vestige.lab.local_target import LocalTarget

        return LocalTarget(models.load(self.local, device=device), self.form)

    def _endpoint(self) -> Endpoint:
        try:
            return Endpoint(self.url, self.model, api=self.api, key_env=self.key_env)
        except UsageError as error:
            raise PlanError(f"[writer]: {error}") from error

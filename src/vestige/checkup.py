"""`vestige doctor`: what this machine has, what is missing, and exactly how to get it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from typing import Any

from vestige.errors import ModelError

_DESK = ("click", "jinja2", "numpy", "scipy")
_LAB = ("torch", "transformers", "tokenizers", "safetensors", "gguf", "accelerate", "peft")


def check(get: str | None = None) -> dict[str, Any]:
    """Return what was found; with `get`, convert that packaged model first.

    Raises:
        ModelError: the model to get is unknown or its package is not installed.
    """
    found: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "free_disk_gb": round(shutil.disk_usage(".").free / 1e9, 1),
        "desk": {name: _version(name) for name in _DESK},
        "lab": {name: _version(name) for name in _LAB},
        "models": {},
    }
    lab = all(found["lab"].values())
    if lab:
        found["models"] = _models(get)
    elif get:
        raise ModelError(f"cannot convert {get}: the lab is not installed; run: pip install 'vestige[lab]'")
    found["ready"] = all(found["desk"].values())
    found["lab_ready"] = lab
    return found


def _models(get: str | None) -> dict[str, str]:
    from vestige.lab import model_sources

    if get:
        model_sources.locate(get)
    states = {}
    for name in model_sources.KNOWN:
        folder = model_sources.cache_folder() / "models" / name
        ready = (folder / "model.safetensors").is_file()
        states[name] = f"ready in {folder}" if ready else model_sources.how_to_get(name)
    return states


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def as_text(found: dict[str, Any]) -> str:
    """Return the check-up as lines."""
    lines = [f"Python {found['python']}, {found['cores']} cores, {found['free_disk_gb']} GB free here"]
    for wing, remedy in (("desk", "pip install vestige"), ("lab", "pip install 'vestige[lab]'")):
        missing = [name for name, version in found[wing].items() if not version]
        have = ", ".join(f"{name} {version}" for name, version in found[wing].items() if version)
        lines.append(f"{wing}: {have or 'nothing'}" + (f"; missing: {', '.join(missing)} -> {remedy}" if missing else ""))
    lines += [f"model {name}: {state}" for name, state in found["models"].items()]
    return "\n".join(lines)

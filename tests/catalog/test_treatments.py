"""Files with treatments of one's own: read strictly, and known by their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import load_catalog
from harness.catalog.yaml_files import TreatmentsFile, read_yaml, validated
from harness.errors import CatalogError
from harness.treatments import METHODS, Distill, Quantise

OWN = """treatments:
- name: six-bits
  method: quantise
  bits: 6
  description: Between int8 and int4.
"""


def read(folder: Path, text: str) -> TreatmentsFile:
    file = folder / "own.yaml"
    file.write_text(text)
    return validated(TreatmentsFile, read_yaml(file), file)


def test_a_treatment_is_read_with_its_settings(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, OWN).treatments
    made = entry.treatment()
    assert (made.name, made.method, made.description) == ("six-bits", Quantise(bits=6), "Between int8 and int4.")


def test_other_settings_make_another_variant_and_other_words_do_not(tmp_path: Path) -> None:
    texts = (OWN, OWN.replace("bits: 6", "bits: 5"), OWN.replace("Between", "Somewhere between"))
    first, changed, described = (read(tmp_path, text).treatments[0].treatment().variant for text in texts)
    assert first == described != changed


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bits", "bitz", "unknown key `treatments[0].bitz`; expected name, method, bits, share, group"),
        ("bits: 6", "bits: 9", "treatments[0]: bits is 9; expected 2 to 8"),
        ("bits: 6", "bits: true", "treatments[0].bits is True; expected a whole number"),
        ("bits: 6", "share: 0.5", "treatments[0]: share is no setting of method quantise"),
        ("  bits: 6\n", "", "treatments[0]: bits is missing, which method quantise needs"),
        (
            "quantise",
            "distil",
            "treatments[0].method is 'distil'; expected 'quantise', 'prune', 'finetune', 'lora', 'prompt', 'prefix'",
        ),
        ("six-bits", "int8", "treatments[0]: name is 'int8', which is built in; expected another"),
        ("six-bits", "sparse7", "treatments[0]: name is 'sparse7', which is built in; expected another"),
        ("six-bits", "a,b", "treatments[0].name is 'a,b'; expected letters, digits"),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CatalogError) as error:
        read(tmp_path, OWN.replace(old, new))
    assert f"{tmp_path / 'own.yaml'}: {said}" in str(error.value)


def test_a_name_that_two_files_define_is_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(OWN)
    with pytest.raises(CatalogError, match=r"treatment six-bits is already defined in .*a\.yaml"):
        load_catalog([tmp_path])


def test_a_file_names_a_teacher_and_not_where_it_lies(tmp_path: Path) -> None:
    text = "treatments:\n- name: small\n  method: distill\n  teacher: big\n  temperature: 4\n  soft: 0.5\n"
    (entry,) = read(tmp_path, text).treatments
    assert entry.treatment().method == Distill(teacher="big", temperature=4, soft=0.5)
    for old, new, said in (
        ("soft: 0.5", "soft: 1.5", "soft is 1.5; expected a number above 0 and at most 1"),
        ("temperature: 4", "temperature: 0", "temperature is 0.0; expected a number above 0"),
        ("  teacher: big\n", "", "teacher is missing, which method distill needs"),
        ("soft: 0.5", "teacher_path: /x", "unknown key `treatments[0].teacher_path`"),
        ("name: small", "name: distill:x", "treatments[0]"),
    ):
        with pytest.raises(CatalogError) as error:
            read(tmp_path, text.replace(old, new))
        assert said in str(error.value)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_can_be_named_in_a_file(tmp_path: Path, method: str) -> None:
    needed = {"quantise": "bits: 4", "prune": "share: 0.5", "lora": "rank: 2", "distill": "teacher: big"}
    setting = needed.get(method, "tokens: 4" if method in ("prompt", "prefix") else "")
    (entry,) = read(tmp_path, f"treatments:\n- name: mine\n  method: {method}\n  {setting}\n").treatments
    assert type(entry.treatment().method) is METHODS[method]

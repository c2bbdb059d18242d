from harness.plan import by_size, labels, model_names, size_setting
from tests.builders import cell, model, task


def test_cells_of_a_setting_are_ordered_by_size() -> None:
    cells = [cell(model=model(size), shots=shots) for size in (4000, 1000, 16000) for shots in (2, 0)]
    found = by_size(cells)
    assert [s.value("shots") for s in found] == [0, 2]
    assert [[c.model.params for c in group] for group in found.values()] == [[1000, 4000, 16000]] * 2


def test_a_treated_model_is_a_setting_of_its_own() -> None:
    assert len(by_size([cell(), cell(model=model(variant="int8"))])) == 2


def test_a_label_says_what_is_not_the_same_everywhere() -> None:
    settings = [size_setting(cell(shots=shots)) for shots in (0, 2)]
    assert list(labels(settings).values()) == ["colours, 0-shot", "colours, 2-shot"]
    settings += [size_setting(cell(seed=1, limit=10)), size_setting(cell(of=task("shapes"), prompt="terse"))]
    assert list(labels(settings).values()) == [
        "colours, 0-shot, default, seed 0, all documents",
        "colours, 2-shot, default, seed 0, all documents",
        "colours, 0-shot, default, seed 1, first 10",
        "shapes, 0-shot, terse, seed 0, all documents",
    ]


def test_no_two_settings_share_a_label() -> None:
    cells = [cell(), cell(engine="tree"), cell(of=task(digest="1" * 12)), cell(model=model(dtype="bfloat16"))]
    assert len(set(labels(size_setting(c) for c in cells).values())) == 4


def test_models_that_share_a_name_are_told_apart_by_revision() -> None:
    models = [model(4000), model(1000, revision="a" * 12), model(1000, revision="b" * 12), model(1000, variant="int8")]
    assert list(model_names(models).values()) == ["toy-1000@aaaaaaa", "toy-1000@bbbbbbb", "toy-1000+int8", "toy-4000"]

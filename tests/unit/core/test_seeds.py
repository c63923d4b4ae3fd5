from __future__ import annotations

from lingome.core.seeds import derive_seed, generator


def test_a_seed_is_a_pure_function_of_its_names():
    # pinned: a change here would change the order of data of every earlier run
    assert derive_seed(0) == 4246866556266386882
    assert derive_seed(0, "order", 1) == 7003619311605620432
    values = {derive_seed(seed, name, step) for seed in range(5) for name in ("order", "mask") for step in range(100)}
    assert len(values) == 1000
    assert all(0 <= value < 2**63 for value in values)


def test_names_do_not_run_into_each_other():
    assert derive_seed(0, "a", "b") != derive_seed(0, "ab")
    assert derive_seed(0, 1) != derive_seed(0, "1")


def test_generators_repeat():
    assert generator(3, "x").integers(1000, size=5).tolist() == generator(3, "x").integers(1000, size=5).tolist()

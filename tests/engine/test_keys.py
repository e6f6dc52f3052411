"""Keys: the same for what is made alike, and of one analysis alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from batchmean import check_source
from batchmean.engine.domain.keys import key_of, own_keys
from batchmean.engine.domain.tensors import SCALAR, Role, atom_of, derived, from_atom
from hypothesis import given
from hypothesis import strategies as st

STRUCTURES = st.lists(st.sampled_from(["log", "exp", 1, 2, ("a", 1)]), min_size=1, max_size=3).map(tuple)

LOSS = """\
import numpy as np
from scipy.special import log_softmax


def loss(logits, labels):
    target = np.eye({classes})[labels]
    return -(target * log_softmax(logits, axis=-1)).mean()
"""


@given(STRUCTURES, STRUCTURES)
def test_equal_structure_has_an_equal_key_and_no_other_has(
    one: tuple[object, ...], other: tuple[object, ...]
) -> None:
    with own_keys():
        assert (key_of(*one) == key_of(*other)) == (one == other)
        assert (atom_of(one, Role.LOG) == atom_of(other, Role.EXP)) == (one == other)


def test_what_is_derived_from_an_atom_in_the_same_way_is_the_same() -> None:
    with own_keys():
        x = atom_of(("x",))
        assert derived(x, "not").key == derived(x, "not", names=("m",)).key != x.key
        assert derived(x, "moved", 1) != derived(x, "moved", 2)


def test_a_sum_has_one_key_however_its_terms_were_made() -> None:
    with own_keys():
        assert from_atom(atom_of(("x",)), SCALAR).key == from_atom(atom_of(("x",)), SCALAR).key
        assert from_atom(atom_of(("x",)), SCALAR).key != from_atom(atom_of(("y",)), SCALAR).key


def test_an_analysis_begins_with_keys_of_its_own() -> None:
    with own_keys():
        first = key_of("a")
        with own_keys():
            assert key_of("b") == first
        assert key_of("a") == first


def test_analyses_in_several_threads_do_not_mix() -> None:
    texts = [LOSS.format(classes=n) for n in range(2, 10)]
    alone = [[str(f) for f in check_source(text).findings] for text in texts]
    assert all(len(found) == 1 for found in alone)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: [str(f) for f in check_source(text).findings], texts * 3))
    assert together == alone * 3

import mutations
import pytest


@pytest.mark.parametrize("name, file, old, new", mutations.MUTATIONS)
def test_text_that_a_mutation_replaces_occurs_once(name, file, old, new):
    assert (mutations.ROOT / file).read_text().count(old) == 1

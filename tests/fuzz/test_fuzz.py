"""Every reader of strangers' bytes against mutated samples, quickly; atheris goes deeper by `python -m tests.fuzz`."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import mutate, seeds, targets


def mutated(seed: bytes, rng: random.Random) -> bytes:
    """The sample after a few cuts, repetitions, changed bytes and words of the trade, or with changed values."""
    changed = mutate.document(seed, rng) if rng.random() < 0.5 else None
    if changed is not None:
        return changed
    data = bytearray(seed)
    for _ in range(rng.randint(0, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(5):
            case 0:
                data[at:at] = rng.choice(_WORDS)
            case 1:
                del data[at : at + rng.randint(1, 8)]
            case 2:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 3:
                data[at:at] = data[at : at + rng.randint(1, 40)] * rng.randint(1, 3)
            case _:
                data[at:at] = str(rng.choice((-1, 0, 2**31, 2**63, 2**64, 1e308, 1e-308))).encode()
    return bytes(data)


_WORDS = (
    b"{",
    b"}",
    b'"',
    b"\\",
    b"\n",
    b"\r\n",
    b"\x00",
    b"\xff\xfe",
    b"null",
    b"NaN",
    b"[]",
    b"-",
    b"1e999",
    b"# EOF\n",
)


@pytest.mark.parametrize("name", targets.TARGETS)
def test_what_a_stranger_writes_fails_by_name_or_not_at_all(name: str) -> None:
    @settings(
        max_examples=60 if name == "bundles" else 200,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds.samples(name)), st.randoms(use_true_random=False), st.binary(max_size=64))
    def check(seed: bytes, rng: random.Random, noise: bytes) -> None:
        targets.TARGETS[name](mutated(seed, rng))
        targets.TARGETS[name](noise)

    check()


@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_sample_is_read(name: str) -> None:
    for sample in seeds.samples(name):
        targets.TARGETS[name](sample)

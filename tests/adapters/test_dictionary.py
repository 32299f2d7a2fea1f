"""The memory: lookup is the nearest neighbour and nothing else, and what goes in can come out again."""

import pytest
import torch
from torch.nn.functional import normalize

from assistant.adapters.dictionary import Dictionary, coreset, merge

TOLERANCE = 0.006  # what bfloat16 leaves of a cosine


def unit(seed, *shape):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def memory():
    return Dictionary.build({3: unit(0, 40, 16), 1: unit(1, 25, 16)})


def test_lookup_equals_brute_force(memory):
    queries = unit(2, 7, 9, 16)
    everything = torch.cat([unit(0, 40, 16), unit(1, 25, 16)])
    expected = torch.stack([(1 - everything @ q).min() for q in queries.reshape(-1, 16)]).view(7, 9)
    found = memory.lookup(queries)
    assert found.shape == (7, 9) and found.dtype == torch.float32
    assert (found - expected).abs().max() < TOLERANCE


def test_lookup_in_blocks_equals_lookup_at_once(memory, monkeypatch):
    queries = unit(4, 50, 16)
    at_once = memory.lookup(queries)
    monkeypatch.setattr("assistant.adapters.dictionary._BLOCK", 7)
    assert torch.allclose(memory.lookup(queries), at_once, atol=1e-6)  # sums of another shape may round otherwise


def test_a_patch_in_memory_is_at_no_distance_and_none_is_negative(memory):
    found = memory.lookup(unit(0, 40, 16))
    assert found.min() >= 0 and found.max() < TOLERANCE


def test_without_leaves_one_reference_out(memory):
    queries = unit(0, 40, 16)
    assert torch.equal(memory.lookup(queries, without=3), Dictionary.build({1: unit(1, 25, 16)}).lookup(queries))
    assert memory.lookup(queries, without=3).min() > 0.05


def test_nothing_left_to_compare_with_is_refused():
    alone = Dictionary.build({0: unit(0, 5, 8)})
    with pytest.raises(ValueError, match="no entry"):
        alone.lookup(unit(1, 2, 8), without=0)
    with pytest.raises(ValueError, match="no entry"):
        Dictionary().lookup(unit(1, 2, 8))


def test_duplicates_change_no_distance(memory):
    queries = unit(5, 30, 16)
    before = memory.lookup(queries)
    memory.add(9, unit(0, 40, 16))
    assert torch.equal(memory.lookup(queries), before)


def test_the_order_of_references_changes_no_distance(memory):
    other = Dictionary.build({1: unit(1, 25, 16), 3: unit(0, 40, 16)})
    assert torch.equal(memory.lookup(unit(6, 30, 16)), other.lookup(unit(6, 30, 16)))


def test_adding_and_removing_a_reference_restores_the_very_same_memory(memory):
    before = {name: t.clone() for name, t in memory.state_dict().items()}
    memory.add(7, unit(8, 12, 16))
    assert memory.ids() == [3, 1, 7] and len(memory) == 77
    memory.remove(7)
    assert all(torch.equal(before[name], t) for name, t in memory.state_dict().items())


def test_removing_leaves_the_others(memory):
    memory.remove(3)
    assert memory.ids() == [1]
    assert torch.equal(
        memory.lookup(unit(2, 4, 16)), Dictionary.build({1: unit(1, 25, 16)}).lookup(unit(2, 4, 16))
    )
    with pytest.raises(KeyError, match="3"):
        memory.remove(3)


def test_what_does_not_fit_is_refused_and_changes_nothing(memory):
    with pytest.raises(ValueError, match="already has a reference 1"):
        memory.add(1, unit(3, 4, 16))
    with pytest.raises(ValueError, match="different sizes"):
        memory.add(4, unit(3, 4, 17))
    assert len(memory) == 65 and memory.ids() == [3, 1]
    with pytest.raises(ValueError, match="at least one entry"):
        Dictionary(0)


def test_the_state_makes_the_same_memory_again(memory):
    again = Dictionary(memory.capacity)
    again.load_state_dict(memory.state_dict())
    queries = unit(9, 20, 16)
    assert torch.equal(again.lookup(queries, without=1), memory.lookup(queries, without=1))
    assert again.nbytes == memory.nbytes == 65 * 16 * 2 + 65 * 8 + 65 * 2 * 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s.pop("owners"),
        lambda s: s.update(extra=torch.ones(1)),
        lambda s: s.update(owners=s["owners"][:-1]),
        lambda s: s.update(owners=s["owners"].float()),
        lambda s: s.update(entries=s["entries"].float()),
        lambda s: s.update(entries=s["entries"].flatten()),
        lambda s: s.update(entries=s["entries"] * float("nan")),
        lambda s: s.update(entries=s["entries"] * float("inf")),
    ],
)
def test_a_state_that_does_not_fit_is_refused_whole(memory, spoil):
    state = dict(memory.state_dict())
    spoil(state)
    other = Dictionary.build({5: unit(1, 3, 16)})
    with pytest.raises(ValueError):
        other.load_state_dict(state)
    assert other.ids() == [5] and len(other) == 3


def test_the_cap_holds_however_much_is_added():
    memory = Dictionary.build({0: unit(0, 90, 8)}, capacity=50)
    for i in range(1, 8):
        memory.add(i, unit(i, 30, 8))
        assert len(memory) == 50 == len(memory.owners)
    assert len(memory.ids()) > 4  # newcomers are not thrown out whole


def farthest_points(points, size):
    """The textbook algorithm, step by step; the radius that it leaves uncovered."""
    taken = [0]
    while len(taken) < size:
        taken.append(int(torch.cdist(points, points[taken]).amin(dim=1).argmax()))
    return float(torch.cdist(points, points[taken]).amin(dim=1).max())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [3, 10, 40])
def test_a_coreset_covers_about_as_well_as_brute_force(seed, size):
    centers = unit(seed, 12, 6)
    points = normalize(centers.repeat(20, 1) + 0.05 * unit(seed + 50, 240, 6), dim=-1)
    kept = coreset(points, size)
    assert kept.unique().numel() == size and torch.equal(kept, kept.sort().values)
    radius = float(torch.cdist(points, points[kept]).amin(dim=1).max())
    # Greedy k-center is within twice the best there is, and so is the textbook one; projecting adds a little.
    assert radius <= 2.3 * farthest_points(points, size)


def test_a_coreset_forgets_no_group_not_even_the_one_in_the_middle():
    spread = 0.01 * torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    places = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]).repeat(100, 1)
    kept = coreset(places + spread, 3)
    assert sorted(place for place, _ in places[kept].tolist()) == [-1.0, 0.0, 1.0]


def test_a_coreset_of_everything_is_everything_and_the_choice_is_repeatable():
    points = unit(0, 30, 8)
    assert torch.equal(coreset(points, 30), torch.arange(30))
    assert torch.equal(coreset(points, 7), coreset(points, 7))
    assert len(coreset(torch.ones(20, 4), 5).unique()) == 5


def test_views_of_a_reference_are_merged_into_one_table():
    one, two = unit(0, 1, 3, 4, 8), unit(1, 2, 2, 5, 8)
    table = merge([one, two])
    assert table.shape == (12 + 20, 8)
    assert torch.equal(table[:12], one.reshape(12, 8)) and torch.equal(table[-10:], two[1].reshape(10, 8))


def test_a_memory_moves_whole_to_another_device():
    dictionary = Dictionary.build({3: torch.eye(4)})
    dictionary.to("meta")
    assert dictionary.entries.device.type == dictionary.owners.device.type == "meta"
    assert len(dictionary) == 4


def test_nearby_looks_around_the_same_place_only_and_finds_what_a_loop_finds():
    refs = {0: unit(0, 6 * 5, 16).view(6, 5, 16), 1: unit(1, 6 * 5, 16).view(6, 5, 16)}
    memory = Dictionary.build(refs)
    queries = unit(2, 2 * 6 * 5, 16).view(2, 6, 5, 16)
    found = memory.lookup_nearby(queries, reach=1)
    for b, y, x in [(0, 0, 0), (1, 5, 4), (0, 3, 2), (1, 2, 0)]:
        around = [
            float(queries[b, y, x] @ ref[i, j])
            for ref in refs.values()
            for i in range(max(0, y - 1), min(6, y + 2))
            for j in range(max(0, x - 1), min(5, x + 2))
        ]
        assert abs(float(found[b, y, x]) - (1 - max(around))) < 0.01
    assert torch.allclose(memory.lookup_nearby(queries, reach=6), memory.lookup(queries), atol=1e-6)
    assert (found >= memory.lookup(queries) - 1e-6).all()


def test_a_part_moved_far_has_no_match_nearby_although_it_has_one_elsewhere():
    grid = unit(3, 64, 16).view(8, 8, 16)
    memory = Dictionary.build({0: grid})
    moved = torch.roll(grid, 4, dims=1)[None]
    assert memory.lookup(moved).max() < 0.01 < 0.2 < memory.lookup_nearby(moved).min()
    assert memory.lookup_nearby(torch.roll(grid, 1, dims=1)[None])[:, :, 1:].max() < 0.01


def test_another_grid_is_compared_by_the_share_of_the_picture():
    grid = unit(4, 4, 16).view(2, 2, 16)
    memory = Dictionary.build({0: grid})
    twice = grid.repeat_interleave(3, 0).repeat_interleave(3, 1)[None]
    assert memory.lookup_nearby(twice, reach=1).isfinite()[0, 1::3, 1::3].all()
    assert memory.lookup_nearby(twice, reach=1)[0, 1::3, 1::3].max() < 0.01


def test_without_places_there_is_nothing_nearby():
    memory = Dictionary.build({0: unit(5, 9, 16)})
    with pytest.raises(ValueError, match="no entry"):
        memory.lookup_nearby(unit(6, 9, 16).view(1, 3, 3, 16))
    mixed = Dictionary.build({0: unit(5, 9, 16), 1: unit(7, 9, 16).view(3, 3, 16)})
    with pytest.raises(ValueError, match="no entry"):
        mixed.lookup_nearby(unit(6, 9, 16).view(1, 3, 3, 16), without=1)


def test_places_stay_with_their_entries():
    grids = {i: unit(i, 20, 16).view(4, 5, 16) for i in range(3)}
    memory = Dictionary.build(grids, capacity=30)
    assert len(memory.places) == len(memory) == 30
    for entry, owner, (down, right) in zip(memory.entries, memory.owners, memory.places.tolist(), strict=True):
        there = grids[int(owner)][down * 4 // 1000, right * 5 // 1000]
        assert torch.allclose(entry.float(), there, atol=0.01)


def test_a_reference_comes_back_as_the_grid_it_was_while_all_of_it_is_there():
    wide, high = torch.randn(4, 7, 6), torch.randn(5, 3, 6)
    memory = Dictionary.build({3: wide, 1: high})
    assert torch.equal(memory.grid(3), wide.bfloat16()) and torch.equal(memory.grid(1), high.bfloat16())
    memory.keep(torch.arange(len(memory)) != 5)
    assert torch.equal(memory.grid(1), high.bfloat16())
    for owner in (3, 9):
        with pytest.raises(ValueError, match=f"whole picture of reference {owner}"):
            memory.grid(owner)

"""The pixel metrics against hand-computed cases, scikit-learn, brute force and their own bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from assistant.eval.curves import area, area_error, mean_precision, precision_error, running_shares
from assistant.eval.pixels import PixelMetrics, aupro, pixel_auroc, pixel_average_precision, pixel_results


def brute_aupro(maps, masks, limit):
    """The definition, one threshold at a time."""
    values = np.concatenate([m.ravel() for m in maps])
    normal = np.concatenate([m[k == 0] for m, k in zip(maps, masks, strict=True)])
    regions = []
    for anomaly_map, mask in zip(maps, masks, strict=True):
        labelled, n = ndimage.label(mask, np.ones((3, 3)))
        regions += [anomaly_map[labelled == i + 1] for i in range(n)]
    x, y = [0.0], [0.0]
    for t in np.unique(values)[::-1]:
        x.append((normal >= t).mean())
        y.append(np.mean([(r >= t).mean() for r in regions]))
    fine = np.unique(np.append(np.array(x), limit))
    fine = fine[fine <= limit]
    total = 0.0
    for i in range(len(x) - 1):
        left, right = x[i], min(x[i + 1], limit)
        if right > left:
            height = np.interp(right, [x[i], x[i + 1]], [y[i], y[i + 1]])
            total += (right - left) * (y[i] + height) / 2
    return total / limit


def pictures(seed, n=4, levels=None, sizes=((9, 14), (12, 5), (20, 20)), lift=0.3):
    """Noise maps with rectangles that are a little higher; `levels` makes ties."""
    rng = np.random.default_rng(seed)
    maps, masks = [], []
    for i in range(n):
        height, width = sizes[i % len(sizes)]
        mask = np.zeros((height, width), dtype=bool)
        for _ in range(i % 3):
            y, x = rng.integers(0, height - 2), rng.integers(0, width - 2)
            mask[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = True
        values = rng.random((height, width)) + lift * mask
        maps.append(np.round(values * levels) / levels if levels else values)
        masks.append(mask)
    return maps, masks


def flat(arrays):
    return np.concatenate([a.ravel() for a in arrays])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_pixel_metrics_are_exact_on_small_sets(seed, levels, limit):
    maps, masks = pictures(seed, levels=levels)
    truth, values = flat(masks), flat(maps)
    assert pixel_auroc(maps, masks) == pytest.approx(roc_auc_score(truth, values), abs=1e-9)
    expected = average_precision_score(truth, values)
    assert pixel_average_precision(maps, masks) == pytest.approx(expected, abs=1e-9)
    assert aupro(maps, masks, limit) == pytest.approx(brute_aupro(maps, masks, limit), abs=1e-9)
    assert pixel_results(maps, masks).error == 0.0


def test_aupro_by_hand():
    # Two regions that touch at a corner are one; the far pixel is another. Ten normal pixels.
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    values = np.array([[9, 0, 0, 0], [0, 5, 8, 0], [0, 0, 0, 5]], dtype=float)
    normal = 9
    # above 8: PRO (1/2 + 0)/2 at FPR 0; at 8: the same at FPR 1/9; at 5: PRO 1 at FPR 1/9; the rest at 0.
    expected = (0.25 * (1 / normal) + 1.0 * (0.3 - 1 / normal)) / 0.3
    results = pixel_results([values], [mask])
    assert results.aupro == pytest.approx(expected)
    assert (results.regions, results.pictures) == (2, 1)


def test_small_regions_count_as_much_as_large_ones():
    mask = np.zeros((10, 10), dtype=bool)
    mask[:4] = True
    mask[9, 9] = True
    found_large, found_small = np.zeros((10, 10)), np.zeros((10, 10))
    found_large[:4], found_small[9, 9] = 1, 1
    assert aupro([found_large], [mask], 1.0) == pytest.approx(aupro([found_small], [mask], 1.0))
    assert pixel_auroc([found_large], [mask]) > pixel_auroc([found_small], [mask])


def test_good_pictures_count_in_the_false_positive_rate():
    mask = np.array([[1, 0, 0, 0]])
    values = np.array([[2.0, 1, 1, 1]])
    alone = aupro([values], [mask])
    assert alone == 1.0
    assert aupro([values, np.full((1, 4), 3.0)], [mask, np.zeros((1, 4))]) < alone


def test_pictures_without_a_mask_are_left_out():
    maps, masks = pictures(0)
    results = pixel_results([*maps, np.full((3, 3), 99.0)], [*masks, None])
    plain = pixel_results(maps, masks)
    assert results.left_out == 1
    assert (results.auroc, results.aupro) == (plain.auroc, plain.aupro)


def test_nothing_to_measure_is_nan():
    blank = np.zeros((3, 3))
    for maps, masks in ([], []), ([blank], [None]), ([blank], [blank]), ([blank], [blank + 1]):
        results = pixel_results(maps, masks)
        assert all(math.isnan(v) for v in (results.auroc, results.average_precision, results.aupro))
        assert results.error == 0.0


def test_iterators_will_do_and_lengths_must_match():
    maps, masks = pictures(1)
    assert pixel_auroc(iter(maps), iter(masks)) == pixel_auroc(maps, masks)
    with pytest.raises(ValueError):
        pixel_auroc(maps, masks[:-1])


@pytest.mark.parametrize(
    ("anomaly_map", "mask"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(4), np.zeros(4)),
        (np.array([[math.nan]]), np.zeros((1, 1))),
    ],
)
def test_bad_maps_are_refused(anomaly_map, mask):
    with pytest.raises(ValueError):
        PixelMetrics().add(anomaly_map, mask)


@pytest.mark.parametrize("wrong", [{"limit": 0.0}, {"limit": 1.1}, {"bins": 2}])
def test_bad_settings_are_refused(wrong):
    with pytest.raises(ValueError):
        PixelMetrics(**wrong)


@given(seed=st.integers(0, 2**16), levels=st.sampled_from([None, 3, 20]), order=st.permutations(range(5)))
def test_pixel_metrics_depend_on_rank_alone(seed, levels, order):
    maps, masks = pictures(seed, n=5, levels=levels)
    plain = pixel_results(maps, masks)
    changed = pixel_results([np.exp(3 * maps[i]) for i in order], [masks[i] for i in order])
    for name in ("auroc", "average_precision", "aupro"):
        assert getattr(changed, name) == pytest.approx(getattr(plain, name), abs=1e-9)


# ---- bounded memory


def measure(maps, masks, bins, limit=0.3):
    counted = PixelMetrics(limit, bins)
    for anomaly_map, mask in zip(maps, masks, strict=True):
        counted.add(anomaly_map, mask)
        assert counted._low.size <= bins
    return counted.results()


def check_bound(maps, masks, bins):
    truth, values = flat(masks), flat(maps)
    results = measure(maps, masks, bins)
    assert abs(results.auroc - roc_auc_score(truth, values)) <= results.error + 1e-12
    expected = average_precision_score(truth, values)
    assert abs(results.average_precision - expected) <= results.error + 1e-12
    assert abs(results.aupro - brute_aupro(maps, masks, 0.3)) <= results.error + 1e-12
    return results


@given(seed=st.integers(0, 2**16), bins=st.sampled_from([16, 40, 200]), levels=st.sampled_from([None, 30]))
def test_reported_error_holds_when_values_are_merged(seed, bins, levels):
    check_bound(*pictures(seed, n=5, levels=levels), bins)


def test_reported_error_holds_when_later_pictures_crowd_into_one_range():
    maps, masks = pictures(3, n=6)
    crowded = [m if i < 3 else 0.5 + m * 1e-4 for i, m in enumerate(maps)]
    results = check_bound(crowded, masks, 32)
    assert results.error > 0.01


def test_reported_error_covers_a_small_region_in_a_wide_range():
    good = np.linspace(0, 1, 1600).reshape(40, 40)
    values, mask = np.full((40, 40), 0.0), np.zeros((40, 40), dtype=bool)
    mask[:20] = True
    values[mask] = 2.0
    values[38, 20] = 0.95  # AUPRO hangs on this one pixel, the other two hardly notice it
    mask[38, 20] = True
    results = check_bound([good, values], [np.zeros((40, 40)), mask], 16)
    assert results.error > 0.01


# Ranges from the highest down; in each, its pixels from the highest down: a number is the share that
# a defective pixel has of its region, None a normal pixel.
RANGES = st.lists(
    st.lists(st.sampled_from([None, None, 1.0, 0.25]), min_size=1, max_size=8), min_size=1, max_size=6
).filter(lambda ranges: len({p is None for r in ranges for p in r}) == 2)


@given(RANGES, st.sampled_from([0.1, 0.3, 1.0]))
def test_each_bound_holds_for_every_order_inside_the_ranges(ranges, limit):
    def counts(groups):
        neg = np.array([sum(p is None for p in g) for g in groups], dtype=float)
        pos = np.array([sum(p is not None for p in g) for g in groups], dtype=float)
        return neg, pos, np.array([sum(p or 0 for p in g) for g in groups])

    neg, pos, share = counts(ranges)
    one_neg, one_pos, one_share = counts([[p] for r in ranges for p in r])
    merged = np.array([len(r) > 1 for r in ranges])
    off = abs(mean_precision(pos, neg) - mean_precision(one_pos, one_neg))
    assert off <= precision_error(pos, neg, merged) + 1e-12
    x, y = running_shares(neg), running_shares(share)
    exact = area(running_shares(one_neg), running_shares(one_share), limit)
    off = abs(area(x, y, limit) - exact)
    assert off <= area_error(x, y, merged, limit) + 1e-12


def test_merging_keeps_a_heavy_tie_apart():
    rng = np.random.default_rng(0)
    values = rng.random((60, 60))
    values[:30] = 0.5
    mask = np.zeros((60, 60), dtype=bool)
    mask[:2, :30] = True
    results = check_bound([values], [mask], 64)
    assert results.error < 0.02


def test_hundreds_of_pictures_in_little_memory():
    rng = np.random.default_rng(0)
    maps, masks = [], []
    for i in range(200):
        mask = np.zeros((32, 60), dtype=bool)
        if i >= 100:  # good pictures come first, as in a test folder
            mask[20:26, 20 : 20 + i // 8] = True
        maps.append((rng.random((32, 60)) * rng.uniform(0.5, 1.5) + 0.4 * mask).astype(np.float32))
        masks.append(mask)
    exact = measure(maps, masks, 2**21)
    assert exact.error == 0.0
    assert exact.auroc == pytest.approx(roc_auc_score(flat(masks), flat(maps)), abs=1e-9)
    expected = average_precision_score(flat(masks), flat(maps))
    assert exact.average_precision == pytest.approx(expected, abs=1e-9)
    results = measure(maps, masks, 2**14)
    assert 0 < results.error < 3e-4
    for name in ("auroc", "average_precision", "aupro"):
        assert abs(getattr(results, name) - getattr(exact, name)) <= results.error

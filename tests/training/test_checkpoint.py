"""Checkpoints: what comes back is what was written, and nothing else does."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from assistant.errors import TrainingError
from assistant.training.checkpoint import load_checkpoint, save_checkpoint


def fresh(seed, size=3):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(size, 4), nn.Linear(4, 1))
    return module, torch.optim.AdamW(module.parameters(), lr=0.1)


def learn(module, optimizer, steps, start=0):
    for step in range(start, start + steps):
        optimizer.zero_grad()
        module(torch.full((1, 3), step + 1.0)).square().sum().backward()
        optimizer.step()


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_never_stopped(tmp_path):
    path = tmp_path / "new" / "c.safetensors"
    module, optimizer = fresh(0)
    learn(module, optimizer, 3)
    save_checkpoint(path, module, optimizer, 3)
    learn(module, optimizer, 2, start=3)

    other, other_optimizer = fresh(1)
    assert load_checkpoint(path, other, other_optimizer) == 3
    learn(other, other_optimizer, 2, start=3)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), other.parameters(), strict=True))
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_learning_rate_is_the_new_runs_own(tmp_path):
    module, optimizer = fresh(0)
    learn(module, optimizer, 1)
    save_checkpoint(tmp_path / "c", module, optimizer, 1)
    optimizer.param_groups[0]["lr"] = 0.5
    load_checkpoint(tmp_path / "c", module, optimizer)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_without_a_checkpoint_nothing_changes(tmp_path):
    module, optimizer = fresh(0)
    before = [p.clone() for p in module.parameters()]
    assert load_checkpoint(tmp_path / "none", module, optimizer) == 0
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


def test_a_damaged_or_foreign_checkpoint_is_one_sentence(tmp_path):
    path = tmp_path / "c"
    save_checkpoint(path, *fresh(0, size=5), 1)
    with pytest.raises(TrainingError, match="delete it"):
        load_checkpoint(path, *fresh(0))
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(TrainingError, match="delete it"):
        load_checkpoint(path, *fresh(0, size=5))
    save_file({"step": torch.tensor(1)}, path)
    with pytest.raises(TrainingError, match="delete it"):
        load_checkpoint(path, *fresh(0))

"""Runtimes: OpenVINO and torch say the same, at any size and batch, and bf16 says nearly the same."""

import threading

import pytest
import torch

from assistant.errors import WeightsError
from assistant.models.backbone import Backbone
from assistant.models.runtime import GRAPH, TOLERANCE, OpenVinoRuntime, TorchRuntime, class_names
from assistant.models.towers import build_image_tower


@pytest.fixture(scope="module")
def compiled(tiny_folder):
    return OpenVinoRuntime(tiny_folder / "bundles" / "tiny-cnn" / GRAPH)


def agree(found, expected, tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == torch.float32
        assert float((one - other).abs().max()) <= tolerance * float(other.abs().max())


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (96, 224), (320, 64)])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_openvino_equals_torch(compiled, backbones, size, batch):
    pixels = torch.randn(batch, 3, *size, generator=torch.Generator().manual_seed(batch))
    agree(compiled(pixels), backbones["tiny-cnn"].runtime(pixels), TOLERANCE)


def test_openvino_takes_pixels_in_any_memory_order(compiled, backbones):
    pixels = torch.randn(2, 96, 64, 3).permute(0, 3, 1, 2)
    agree(compiled(pixels), backbones["tiny-cnn"].runtime(pixels), TOLERANCE)


def test_an_answer_is_not_overwritten_by_the_next(compiled):
    first = compiled(torch.ones(1, 3, 64, 64))
    kept = [t.clone() for t in first]
    compiled(-torch.ones(1, 3, 64, 64))
    assert all(torch.equal(a, b) for a, b in zip(first, kept, strict=True))


def test_pictures_of_a_batch_go_through_one_after_the_other(compiled):
    shapes = []

    class Watched:
        outputs = compiled._model.outputs

        def create_infer_request(self):
            asked = compiled._model.create_infer_request()

            class Request:
                def infer(self, inputs):
                    shapes.append(inputs[0].shape)
                    return asked.infer(inputs)

            return Request()

    watched = object.__new__(OpenVinoRuntime)
    watched._model = Watched()
    pixels = torch.randn(3, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    found = watched(pixels)
    assert shapes == [(1, 3, 64, 96)] * 3  # together they would hold three times the memory
    alone = [compiled(one) for one in pixels.split(1)]
    assert all(
        torch.equal(torch.cat(rows), both) for rows, both in zip(zip(*alone, strict=True), found, strict=True)
    )


def test_threads_get_their_own_answers(compiled):
    pixels = [torch.randn(1, 3, 64, 64 + 32 * i) for i in range(3)]
    expected = [compiled(p) for p in pixels]
    right = []

    def ask(i):
        for _ in range(10):
            found = compiled(pixels[i])
            right.append(all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected[i], strict=True)))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 30


@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-vit"])
def test_bf16_is_near_and_answers_in_float32(backbones, tiny_folder, name):
    card = backbones[name].card
    tower = build_image_tower(card, tiny_folder / "bundles" / name)
    half = TorchRuntime(tower, torch.device("cpu"), bf16=True)
    pixels = torch.randn(2, 3, 64, 192, generator=torch.Generator().manual_seed(0))
    found, expected = half(pixels), backbones[name].runtime(pixels)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        cosine = torch.nn.functional.cosine_similarity(one, other, dim=-1)
        assert float(cosine.mean()) > 0.995


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", ["tiny-cnn", "tiny-vit"])
def test_a_gpu_says_what_the_cpu_says(backbones, tiny_home, name):
    there = Backbone.load(name, device="cuda")
    pixels = torch.randn(2, 3, 64, 192, generator=torch.Generator().manual_seed(0))
    found = there.runtime(pixels)
    assert all(t.device.type == "cuda" for t in found)
    # Convolutions on a GPU may round to TF32: ten bits.
    agree([t.cpu() for t in found], backbones[name].runtime(pixels), 1e-2)


def test_a_graph_that_cannot_be_read_is_one_sentence(tmp_path):
    (tmp_path / "image.xml").write_text("<net")
    with pytest.raises(WeightsError, match="run `looktwice pull` again"):
        OpenVinoRuntime(tmp_path / "image.xml")


def test_there_are_a_thousand_class_names():
    names = class_names()
    assert len(names) == 1000 and names[0] == "tench" and all(names)


@pytest.mark.weights
@pytest.mark.parametrize("size", [(320, 320), (192, 512)])
def test_the_pocket_tower_is_the_same_in_both_runtimes(size):
    pixels = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    runtimes = [Backbone.load("pocket", device="cpu", runtime=name).runtime for name in ("openvino", "torch")]
    agree(runtimes[0](pixels), runtimes[1](pixels), TOLERANCE)

"""The decoders: the compiled one says what the model in torch says, and what is forgotten is forgotten."""

import numpy as np
import pytest
import torch
from tiny_language import save_tiny_language

from assistant.language.decoder import CompiledDecoder, TorchDecoder, can_compile


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("language")
    save_tiny_language(folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module", params=[TorchDecoder, CompiledDecoder])
def decoder(request, model):
    return request.param(model)


def expected(model, ids):
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0, -1].numpy()


def agree(found, wanted):
    return float(found @ wanted / np.linalg.norm(found) / np.linalg.norm(wanted)) > 0.995


def test_logits_are_those_of_the_model_in_one_go_and_token_by_token(decoder, model):
    ids = [int(i) for i in np.random.default_rng(0).integers(3, 200, 24)]
    reading = decoder.start()
    assert agree(reading.extend(decoder.embed(ids[:20])), expected(model, ids[:20]))
    for n in range(20, 24):
        assert agree(reading.extend(decoder.embed([ids[n]])), expected(model, ids[: n + 1]))
    assert reading.length == 24


def test_a_cropped_reading_goes_on_as_if_it_had_never_read_more(decoder, model):
    reading = decoder.start()
    reading.extend(decoder.embed(list(range(10, 40))))
    reading.crop(12)
    assert reading.length == 12
    found = reading.extend(decoder.embed([90, 91]))
    wanted = expected(model, [*range(10, 22), 90, 91])
    assert agree(found, wanted) and not agree(found, expected(model, [90, 91]))
    reading.crop(0)
    assert agree(reading.extend(decoder.embed([50, 60])), expected(model, [50, 60]))
    reading.crop(99)
    assert reading.length == 2


def test_two_readings_do_not_disturb_each_other(decoder, model):
    one, two = decoder.start(), decoder.start()
    one.extend(decoder.embed([10, 11, 12]))
    two.extend(decoder.embed([80, 81]))
    assert agree(one.extend(decoder.embed([13])), expected(model, [10, 11, 12, 13]))


def test_only_plain_llamas_are_compiled(model):
    from transformers import GPT2Config, LlamaConfig

    assert can_compile(model.config)
    assert not can_compile(GPT2Config())
    assert not can_compile(LlamaConfig(attention_bias=True))

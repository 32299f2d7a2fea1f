"""What is learned on the side of the text: exact against the tower's own sentences, the tower as it was."""

import pytest
import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.tokenizer import SimpleTokenizer

from assistant.models.towers import ClipText
from assistant.prompts.learnable import ContextConfig, LearnableContext, LearnedDirections

VISION = {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16}
TEXT = {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 4}
SENTENCE = "a close photo of one flawless"  # six words of one token each
TOKENIZE = SimpleTokenizer(context_length=32)


def make_clip(kind=CLIP, **text):
    torch.manual_seed(7)
    model = kind(embed_dim=16, vision_cfg=VISION, text_cfg=TEXT | text)
    return model.eval().requires_grad_(False)


def text_towers():
    """The three shapes that a CLIP text tower comes in, each with its model."""
    return {
        "clip": (model := make_clip(), model),
        "wrapped": (ClipText(model := make_clip()), model),
        "custom": ((model := make_clip(CustomTextCLIP)).text, model),
    }


def say(module, sentence):
    """Put the embeddings of a sentence's words in the place of the learned tokens, in both rows."""
    ids = TOKENIZE([sentence])[0, 1 : 1 + module.config.tokens]
    with torch.no_grad():
        module.context.copy_(module._text[0].token_embedding(ids))


@pytest.mark.parametrize("shape", ["clip", "wrapped", "custom"])
def test_with_the_tokens_of_real_words_it_is_the_towers_own_sentence(shape):
    tower, model = text_towers()[shape]
    module = LearnableContext(tower, TOKENIZE, ContextConfig(tokens=6))
    say(module, SENTENCE)
    expected = model.encode_text(TOKENIZE([f"{SENTENCE} object", f"{SENTENCE} damaged object"]), normalize=True)
    assert torch.allclose(module(), expected, atol=1e-6)
    assert not torch.allclose(expected[0], expected[1], atol=1e-3)


@pytest.mark.parametrize(
    "text",
    [{"proj_bias": True}, {"proj_type": "none"}, {"pool_type": "eos", "eos_id": 49407}, {"ls_init_value": 0.5}],
)
def test_other_ends_of_the_text_tower_are_exact_too(text):
    model = make_clip(**text)
    if "eos_id" in text:
        model.text_pool_type, model.text_eos_id = "eos", 49407
    module = LearnableContext(
        model, TOKENIZE, ContextConfig(tokens=6, words=("sound object", "object with a crack"))
    )
    say(module, SENTENCE)
    sentences = [f"{SENTENCE} sound object", f"{SENTENCE} object with a crack"]
    assert torch.allclose(module(), model.encode_text(TOKENIZE(sentences), normalize=True), atol=1e-6)


def test_a_tower_that_is_not_batch_first_gives_the_same():
    model = make_clip()
    module = LearnableContext(model, TOKENIZE, ContextConfig(deep=3))
    expected = module()
    model.transformer.batch_first = False
    for block in model.transformer.resblocks:
        block.attn.batch_first = False
    assert torch.allclose(module(), expected, atol=1e-6)


def test_deep_tokens_take_the_first_places_of_the_context_in_their_layers():
    model = make_clip()
    config = ContextConfig(tokens=6, deep=3, deep_tokens=2)
    module = LearnableContext(model, TOKENIZE, config)
    say(module, SENTENCE)
    assert module.deep.shape == (2, 2, 32)
    swaps = {1: module.deep[0], 2: module.deep[1]}

    def swap(i):
        def hook(_, given):
            x = given[0].clone()
            x[:, 1:3] = swaps[i]
            return (x, *given[1:])

        return hook

    ids = TOKENIZE([f"{SENTENCE} object", f"{SENTENCE} damaged object"])
    shallow = model.encode_text(ids, normalize=True)
    found = module()
    hooks = [model.transformer.resblocks[i].register_forward_pre_hook(swap(i)) for i in swaps]
    expected = model.encode_text(ids, normalize=True)
    for hook in hooks:
        hook.remove()
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(found, shallow, atol=1e-3)


def test_the_published_shape_is_at_hand():
    module = LearnableContext(make_clip(layers=12), TOKENIZE, ContextConfig(deep=9))
    assert module.config == ContextConfig(12, ("object", "damaged object"), 9, 4)
    assert module.context.shape == (2, 12, 32) and module.deep.shape == (8, 4, 32)
    vectors = module()
    assert vectors.shape == (2, 16) and vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(2), atol=1e-6)


def test_gradient_reaches_every_learned_token_and_nothing_frozen():
    model = make_clip(CustomTextCLIP).requires_grad_(True)  # not frozen by whoever hands it in
    module = LearnableContext(model.text, TOKENIZE, ContextConfig(deep=4))
    assert {name for name, _ in module.named_parameters()} == {"context", "deep"}
    target = torch.randn(2, 16, generator=torch.Generator().manual_seed(1))
    (module() * target).sum().backward()
    # The first four tokens of the context are replaced later on, and still seen by the first layer.
    assert bool((module.context.grad.abs().sum(dim=-1) > 0).all())
    assert bool((module.deep.grad.abs().sum(dim=-1) > 0).all())
    assert all(p.grad is None for p in model.parameters())
    assert not any(p.requires_grad for p in model.text.parameters())
    assert all(p.requires_grad for p in model.visual.parameters())  # not its business


@pytest.mark.parametrize("deep", [0, 3])
def test_a_step_lowers_the_loss_and_leaves_the_tower_as_it_was(deep):
    model = make_clip()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    module = LearnableContext(model, TOKENIZE, ContextConfig(deep=deep))
    patches = torch.randn(40, 16, generator=torch.Generator().manual_seed(2))
    labels = torch.arange(40) % 2

    def loss():
        return torch.nn.functional.cross_entropy(patches @ module().T / 0.07, labels)

    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    first = loss()
    first.backward()
    optimiser.step()
    assert loss().item() < first.item()
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_the_state_dict_holds_what_is_learned_and_restores_it():
    model = make_clip()
    module = LearnableContext(model, TOKENIZE, ContextConfig(deep=3, seed=1))
    assert set(module.state_dict()) == {"context", "deep"}
    assert set(LearnableContext(model, TOKENIZE).state_dict()) == {"context"}
    other = LearnableContext(model, TOKENIZE, ContextConfig(deep=3, seed=2))
    assert not torch.allclose(other(), module(), atol=1e-4)
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(), module())


def test_fresh_tokens_follow_the_seed_alone():
    model = make_clip()
    state = torch.random.get_rng_state()
    one, same, other = (LearnableContext(model, TOKENIZE, ContextConfig(seed=s)) for s in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(one.context, same.context) and not torch.equal(one.context, other.context)


def test_a_tower_in_half_precision_gives_single_and_learns_in_single():
    expected = LearnableContext(make_clip(), TOKENIZE, ContextConfig(deep=3))()
    model = make_clip().bfloat16()
    module = LearnableContext(model, TOKENIZE, ContextConfig(deep=3))
    vectors = module()
    vectors.sum().backward()
    assert vectors.dtype == module.context.dtype == module.deep.grad.dtype == torch.float32
    assert torch.allclose(vectors, expected, atol=0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tokens": 0}, "at least one token"),
        ({"words": ("object",)}, "words are two"),
        ({"words": ("object", " ")}, "words are two"),
        ({"deep": 1}, "0 or at least 2"),
        ({"deep": -2}, "0 or at least 2"),
        ({"deep": 3, "deep_tokens": 13}, "13 deep tokens do not fit in a context of 12"),
        ({"deep": 3, "deep_tokens": 0}, "0 deep tokens do not fit"),
    ],
)
def test_a_shape_that_makes_no_sense_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        ContextConfig(**settings)


def test_a_tower_that_does_not_fit_is_refused():
    clip = make_clip()
    with pytest.raises(ValueError, match="29 tokens and the words do not fit in the 32 places"):
        LearnableContext(clip, TOKENIZE, ContextConfig(tokens=29))
    LearnableContext(clip, TOKENIZE, ContextConfig(tokens=28))()  # just fits
    with pytest.raises(ValueError, match="4 layers has no 5"):
        LearnableContext(clip, TOKENIZE, ContextConfig(deep=5))
    for text in ({"no_causal_mask": True}, {"embed_cls": True}, {"pool_type": "last"}):
        tower = make_clip(CustomTextCLIP).text
        tower.attn_mask = None if "no_causal_mask" in text else tower.attn_mask
        tower.cls_emb = torch.nn.Parameter(torch.zeros(32)) if "embed_cls" in text else None
        tower.pool_type = text.get("pool_type", tower.pool_type)
        with pytest.raises(ValueError, match="only for a CLIP text tower that pools at the end token"):
            LearnableContext(tower, TOKENIZE)
    with pytest.raises(ValueError, match="only for a CLIP text tower"):
        LearnableContext(torch.nn.Linear(2, 2), TOKENIZE)


def test_directions_start_at_the_base_and_learn_away_from_it():
    base = torch.randn(3, 8, generator=torch.Generator().manual_seed(4)) * 5
    module = LearnedDirections(base)
    units = torch.nn.functional.normalize(base, dim=-1)
    assert torch.allclose(module(), units, atol=1e-7) and module().shape == (3, 8)
    assert {name for name, _ in module.named_parameters()} == {"delta"}
    seen = torch.randn(3, 8, generator=torch.Generator().manual_seed(5))
    picture, label = torch.nn.functional.normalize(seen, dim=-1), torch.tensor([2, 0, 1])
    optimiser = torch.optim.Adam(module.parameters(), lr=0.05)
    losses = []
    for _ in range(5):
        loss = torch.nn.functional.cross_entropy(picture @ module().T / 0.07, label)
        optimiser.zero_grad()
        loss.backward()
        assert bool((module.delta.grad.abs().sum(dim=-1) > 0).all()) and module.base.grad is None
        optimiser.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert torch.equal(module.base, units)
    assert torch.allclose(module().norm(dim=-1), torch.ones(3), atol=1e-6)
    other = LearnedDirections(torch.ones(3, 8))
    other.load_state_dict(module.state_dict())  # no text tower needed
    assert torch.equal(other(), module())


def test_directions_of_a_tower_in_training_do_not_drag_it_along():
    base = torch.ones(2, 4, dtype=torch.bfloat16, requires_grad=True)
    module = LearnedDirections(base)
    module()[0, 0].backward()
    assert base.grad is None and module().dtype == torch.float32


@pytest.mark.parametrize(
    "base", [torch.ones(4), torch.ones(0, 4), torch.tensor([[1.0, 0], [0, 0]]), torch.tensor([[1.0, torch.nan]])]
)
def test_directions_that_are_none_are_refused(base):
    with pytest.raises(ValueError, match="direction"):
        LearnedDirections(base)

"""GenD's networks beside the implementations that its authors used, name by name and number by number."""

import copy
import math

import pytest
import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import METHODS, grad_cam
from torchfakes_utils.models import gend
from torchfakes_utils.models.architectures import GEND, HEAD, architecture
from torchfakes_utils.models.detector import Detector, DetectorConfig, load_detector, save
from torchfakes_utils.models.foreign_weights import UnusableWeightsError
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.gend import (
    LARGE,
    NAMES,
    SMALL,
    WIDTH,
    all_small,
    detector_of,
    head,
    randomised,
    reference,
    small,
    tensors,
    their_names,
)

pytest.importorskip("timm", minversion="1.0.20")


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def crops(count=3, size=224):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(5))


def their_features(name, encoder, images):
    """As `modeling_gend.py` reads them."""
    with torch.inference_mode():
        if name == "GenD-PE-L":
            return encoder(images)
        output = encoder(images)
        return output.pooler_output if name == "GenD-CLIP-L14" else output.last_hidden_state[:, 0]


def test_the_logit_is_their_second_less_their_first(name):
    """Same weights, same crops: their encoder, L2 norm, linear layer of two; ours, of one."""
    encoder = randomised(reference(name, SMALL))
    theirs = their_names(name, encoder.state_dict()) | head(WIDTH)
    network = gend.GenD(name, small(name), 224, 0.0).eval()
    network.load_state_dict(gend.translated(theirs, small(name), network.state_dict()))
    images = crops()
    features = nn.functional.normalize(their_features(name, encoder, images), dim=1)
    both = features @ theirs["model.linear.weight"].T + theirs["model.linear.bias"]
    with torch.inference_mode():
        logits = network(images)
    expected = (both[:, 1] - both[:, 0])[:, None]
    assert logits.std() > 0.01, "crops that all get one answer would prove nothing"
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


def test_every_tensor_of_the_large_ones_has_its_place(name):
    """Names and shapes alone, of which a gigabyte takes no memory."""
    with torch.device("meta"):
        encoder = reference(name, LARGE)
        network = gend.GenD(name, gend.ENCODERS[name], 224, 0.0)
        theirs = their_names(name, encoder.state_dict())
        theirs |= {"model.linear.weight": torch.empty(2, 1024), "model.linear.bias": torch.empty(2)}
        own = network.state_dict()
        if name == "GenD-CLIP-L14":
            theirs["feature_extractor.visual_projection.weight"] = torch.empty(768, 1024)
            # As counted by those who have loaded the file, revision 891ce014.
            assert len(theirs) == 394
        if name == "GenD-DINOv3-L":
            # The number that the Hub gives for the file.
            assert sum(value.numel() for value in theirs.values()) == 303_131_650
        renamed = gend._joined(
            {
                gend._renamed(f"encoder.{key.removeprefix('feature_extractor.')}", gend.ENCODERS[name].renames): value
                for key, value in theirs.items()
                if not gend._UNUSED.fullmatch(key) and not key.startswith("model.linear.")
            }
        )
        shaped = gend._shaped(renamed, own)
    assert shaped.keys() == own.keys() - {"head.weight", "head.bias"}
    assert {key: value.shape for key, value in shaped.items()} == {key: own[key].shape for key in shaped}
    assert sum(value.numel() for value in own.values()) > 300_000_000


def test_what_the_stand_in_serves_is_named_as_transformers_names_it(name):
    """`helpers.gend.tensors` is made without it."""
    expected = set(their_names(name, reference(name, SMALL).state_dict())) | set(head(WIDTH))
    assert set(tensors(name)) - {"feature_extractor.visual_projection.weight"} == expected


def test_before_training_it_says_half(name):
    detector = detector_of(name)
    loss = nn.functional.binary_cross_entropy_with_logits(detector(crops()), torch.tensor([0.0, 1.0, 1.0]))
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)


def test_norms_and_head_are_tuned_and_nothing_else(name):
    """As in the paper, section 3: 0.03 % of the numbers."""
    detector = detector_of(name)
    detector.tune("norms")
    tuned = {key for key, value in detector.named_parameters() if value.requires_grad}
    assert tuned and all("norm" in key or key.startswith("backbone.head.") for key in tuned)
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    optimiser = torch.optim.AdamW([value for value in detector.parameters() if value.requires_grad], lr=1e-2)
    for _ in range(2):  # the first step moves the head, which is zero, and only then does an encoder get a gradient
        optimiser.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(detector(crops()), torch.tensor([0.0, 1.0, 1.0])).backward()
        optimiser.step()
    changed = {key for key, value in detector.state_dict().items() if not torch.equal(value, before[key])}
    assert changed <= tuned and any("norm1" in key for key in changed)


def test_stages_hold_every_parameter_once(name):
    detector = detector_of(name)
    assert list(detector.stages)[-1] == HEAD and len(detector.stages) >= 5
    counts = detector.parameter_counts()
    assert sum(total for total, _ in counts.values()) == sum(p.numel() for p in detector.parameters())
    assert counts[HEAD] == (WIDTH + 1, WIDTH + 1)


def test_the_length_of_the_features_counts_for_nothing(name):
    detector = detector_of(name)
    nn.init.normal_(detector.backbone.head.weight)
    features = torch.randn(4, WIDTH)
    detector.backbone.encoder = nn.Identity()
    torch.testing.assert_close(detector(features), detector(features * 100))


@pytest.mark.parametrize("method", METHODS)
def test_heat_maps(name, method):
    detector = detector_of(name)
    randomised(detector)
    for layer in detector.feature_layers:
        maps = grad_cam(detector, crops(2), layer, "own", method)
        assert maps.shape == (2, 224, 224) and maps.max() > 0, layer
    assert not detector.training


def test_a_map_is_where_the_patch_is(name):
    """A block's tokens laid out: a mark on the patch in row 2, column 5 is there in the map, rows first."""
    detector = detector_of(name)
    edge = 224 // gend.ENCODERS[name].patch
    others = {"GenD-CLIP-L14": 1, "GenD-PE-L": 1, "GenD-DINOv3-L": 5}[name]
    tokens = torch.zeros(1, others + edge * edge, WIDTH)
    tokens[:, others + 2 * edge + 5] = 1
    found = detector.as_map(tokens)
    assert found.shape == (1, WIDTH, edge, edge)
    assert found.nonzero()[:, 2:].unique(dim=0).tolist() == [[2, 5]]


def test_saving_and_loading(name, tmp_path):
    with all_small():
        detector = randomised(Detector(DetectorConfig(name, None, preprocessing=Preprocessing(size=224))))
        save(detector, tmp_path)
        again = load_detector(tmp_path)
    assert not any(value.is_meta for value in again.buffers())
    with torch.inference_mode():
        assert torch.equal(again(crops()), detector(crops()))


@pytest.mark.parametrize("known", [True, False])
def test_loading_draws_no_numbers_that_are_thrown_away(name, known, tmp_path, monkeypatch):
    """Of 300 million, that takes ten seconds; it has to be where layers cannot compute what is not saved."""
    from timm.layers import pos_embed_sincos

    angles = {"GenD-PE-L": "RotaryEmbeddingCat", "GenD-DINOv3-L": "RotaryEmbeddingDinoV3"}.get(name)
    detector, built = randomised(detector_of(name)), []
    save(detector, tmp_path)
    if angles is not None and not known:
        kinds = getattr(pos_embed_sincos, angles).__mro__
        owner = next(kind for kind in kinds if "init_non_persistent_buffers" in vars(kind))
        monkeypatch.delattr(owner, "init_non_persistent_buffers")
    really = gend.GenD.__init__
    monkeypatch.setattr(gend.GenD, "__init__", lambda self, *words: built.append(words) or really(self, *words))
    with all_small():
        again = load_detector(tmp_path)
    assert len(built) == (1 if known or angles is None else 2)
    with torch.inference_mode():
        assert torch.equal(again(crops()), detector(crops()))


def test_it_can_be_copied(name):
    """As the exports and the sanity checks do."""
    detector = detector_of(name)
    assert torch.equal(copy.deepcopy(detector).backbone.head.weight, detector.backbone.head.weight)
    assert copy.deepcopy(detector).feature_layers.keys() == detector.feature_layers.keys()


def test_a_size_that_patches_do_not_fill(name):
    patch = gend.ENCODERS[name].patch
    below, above = 200 // patch * patch, 200 // patch * patch + patch
    with pytest.raises(InputError, match=f"image size 200: {name} .* take {below} or {above}"):
        detector_of(name, 200)
    assert detector_of(name, below)(crops(2, below)).shape == (2,)


def test_an_older_timm_is_named(name, monkeypatch):
    import timm

    monkeypatch.setattr(timm, "is_model", lambda known: False)
    with pytest.raises(InputError, match=f"{name} needs timm 1.0"):
        detector_of(name)


def test_its_input_is_what_the_encoder_was_trained_with():
    """The means of CLIP's, DINOv3's and PE's own preprocessing, in steps of 0…255."""
    assert [GEND[name].input.size for name in NAMES] == [224] * 3
    assert GEND["GenD-PE-L"].input.mean == GEND["GenD-PE-L"].input.std == (127.5,) * 3
    assert architecture("GenD-CLIP-L14").input.mean == pytest.approx((122.77, 116.75, 104.09), abs=0.01)
    assert architecture("GenD-DINOv3-L").input.std == pytest.approx((58.395, 57.12, 57.375))


def bad(theirs, **changes):
    return {key: value for key, value in (theirs | changes).items() if value is not None}


def test_another_networks_tensors_are_refused(name):
    network = gend.GenD(name, small(name), 224, 0.0)
    theirs, own = tensors(name), network.state_dict()
    some = next(key for key in theirs if "norm1.weight" in key)
    whole = {key: value.long() for key, value in theirs.items() if ".q_proj." in key or ".attn.qkv.weight" in key}
    cases = {
        f"{some} or its like": (bad(theirs, **{some: None}), "absent"),
        "shape": (bad(theirs, **{some: torch.ones(3)}), "has the shape 3, not 64"),
        "strange": (bad(theirs, **{"feature_extractor.lora_A": torch.ones(3)}), "lora_A, which this network has not"),
        "one logit": (bad(theirs, **{"model.linear.bias": torch.ones(1)}), "should answer with two logits"),
        "NaN": (bad(theirs, **{some: torch.full((WIDTH,), math.nan)}), "not finite"),
        "whole numbers": (bad(theirs, **{some: torch.ones(WIDTH, dtype=torch.int32)}), "type int32, and weights are"),
        "imaginary": (bad(theirs, **{some: torch.ones(WIDTH, dtype=torch.complex64)}), "type complex64"),
        "a whole answer": (bad(theirs, **{"model.linear.bias": torch.ones(2, dtype=torch.int64)}), "type int64"),
        "whole queries": (bad(theirs, **whole), "type int64|has the shape"),
        "queries alone": (bad(theirs, **{key: None for key in theirs if ".k_proj." in key}), None),
    }
    for what, (given, words) in cases.items():
        if what == "queries alone" and name == "GenD-PE-L":
            continue
        with pytest.raises(UnusableWeightsError, match=words or "absent"):
            gend.translated(given, small(name), own)
    other = NAMES[(NAMES.index(name) + 1) % 3]
    with pytest.raises(UnusableWeightsError, match="which this network has not|absent"):
        gend.translated(tensors(other), small(name), own)

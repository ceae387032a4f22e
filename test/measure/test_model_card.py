from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from stseg_ros.bundle import Geometry, Manifest, NetworkFile, Networks
from stseg_ros.config import RecommendedSettings
from stseg_ros.measure.model_card import model_card

COARSE = {
    'architecture': 'residual_fpn',
    'width': 24,
    'norm': 'batch',
    'parameters': 2_650_000,
    'macs': 40_000_000,
    'steps': 5000,
    'batch': 32,
    'ema': 0.998,
    'loss': 'bce_dice',
    'seed': 7,
    'minutes': 33.0,
    'arithmetic': 'bfloat16 mixed',
}
REFINE = COARSE | {'architecture': 'paper_unet', 'steps': 8000, 'macs': 700_000_000, 'ema': 0.0}
WHOLE = REFINE | {'macs': 22_400_000_000}
ROW = {'dice': 0.8124, 'mean_image_dice': 0.7, 'iou': 0.6, 'precision': 0.5, 'recall': 0.9}
FILE = NetworkFile(file='some.onnx', sha256='0')
LEFT_OUT = 'camvid left out (0006R0*)'


def manifest(datasets: tuple[str, ...], **provenance: Any) -> Manifest:
    table = {
        'images': 101,
        'backend': 'openvino, some CPU',
        'threshold': 0.65,
        'results': [
            {'mode': 'whole', 'regions': 0, **ROW, 'dice': 0.86, 'threshold': 0.45},
            {'mode': 'coarse', 'regions': 0, **ROW},
            {'mode': 'two_stage', 'fusion': 'add', 'regions': 8, **ROW, 'dice': 0.85},
        ],
    }
    parity = {'onnxruntime': 0.0004, 'openvino': 3e-06, 'labels_changed': 0.00012}
    return Manifest(
        schema=1,
        name='some_model',
        classes=('background', 'vehicle'),
        geometry=Geometry(working_hw=(512, 1024), coarse_factor=8, grid=(4, 8), max_regions=32),
        recommended=RecommendedSettings(regions=8, fusion='add', threshold=0.65),
        networks=Networks(coarse=FILE, refine=FILE),
        provenance={
            'method': 'someone, 2022',
            'precision': 'half_weights',
            'weights': 'last',
            'networks': {'coarse': COARSE, 'refine': REFINE},
            'sources': [
                {'dataset': name, 'name': name, 'images': 10, 'weight': 0.5} for name in datasets
            ],
            'parity_bounds': {'probability': 0.001, 'labels_changed': 0.002},
            'parity': {'coarse': parity},
        }
        | provenance,
        scores={'camvid val': table, LEFT_OUT: table},
    )


def test_card_states_geometry_networks_and_training() -> None:
    card = model_card(manifest(('camvid', 'kitti')))
    assert card.startswith('# some_model\n')
    assert 'resized to 1024x512' in card
    assert 'in regions of 128x128 pixels, 4 x 8 of which would fill it' in card
    recommended = (
        'Recommended: 8 regions per frame, chosen by `grid`, fusion `add`, threshold 0.65.'
    )
    assert recommended in card.replace('\n', ' ')
    assert '| coarse | residual_fpn, width 24, norm batch | 2.65 M | 0.040 G |' in card
    assert '| refine | paper_unet, width 24, norm batch | 2.65 M | 0.700 G |' in card
    # 0.04 + 8 x 0.7
    assert 'A frame with 8 regions costs 5.64 G multiply-accumulates' in card
    assert '| coarse | 5000 x 32 | bce_dice | 0.998 | 7 | 33 | bfloat16 mixed |' in card
    assert '| refine | 8000 x 32 | bce_dice | none | 7 | 33 | bfloat16 mixed |' in card
    assert 'those of the last step' in card
    assert '\n\n\n' not in card


def test_card_states_what_was_kept_from_training() -> None:
    source = {'dataset': 'camvid', 'name': 'streets', 'images': 10, 'weight': 0.5}
    more = {'held_out': 16, 'left_out': '0006R0*'}
    card = model_card(manifest((), sources=[source | more, source | {'name': 'camvid'}]))
    assert (
        '- streets (camvid): 10 images, share 0.5; 16 held out for choices; '
        'left out of training and choices: 0006R0*\n'
    ) in card
    assert '- camvid: 10 images, share 0.5\n' in card
    assert card.count('CamVid (Brostow') == 1


def test_card_states_precision_and_its_bounds() -> None:
    card = model_card(manifest(('camvid',)))
    assert 'store the weights as FP16 and compute in float32' in card
    assert 'with the same weights, at most 0.001, and the labels' in card
    assert 'at most 0.2%' in card
    assert '| network | onnxruntime | openvino | labels changed |' in card
    assert '| coarse | 4.0e-04 | 3.0e-06 | 0.0120% |' in card
    half = model_card(manifest(('camvid',), precision='float16'))
    assert 'strongly typed FP16' in half
    assert 'from PyTorch in float32 with the trained network' in half


def test_card_states_scores_and_that_they_are_of_one_seed() -> None:
    card = model_card(manifest(('camvid',)))
    assert 'a single training run with a single seed' in card
    assert '| two_stage, add | 8 | 0.850 | 0.700 | 0.600 | 0.500 | 0.900 |' in card
    assert '| coarse | 0 | 0.812 |' in card
    assert '| whole, threshold 0.45 | 0 | 0.860 |' in card
    assert '### camvid left out (0006R0*): 101 images\n\nNeither trained on nor' in card
    assert '### camvid val: 101 images\n\nThese frames are one run of a drive' in card


def test_card_of_a_bundle_without_scores_says_so() -> None:
    card = model_card(dataclasses.replace(manifest(('camvid',)), scores={}))
    assert 'Not scored; `stseg evaluate` does it.' in card


def test_card_says_where_the_baseline_is() -> None:
    networks = {'coarse': COARSE, 'refine': REFINE, 'whole': WHOLE}
    without = manifest(('camvid',), networks=networks)
    assert '`whole`, a baseline to compare with, is not in this bundle.' in model_card(without)
    files = Networks(coarse=FILE, refine=FILE, whole=FILE)
    card = model_card(dataclasses.replace(without, networks=files))
    assert '`whole`, a baseline to compare with, is in this bundle.' in card
    assert '| whole | paper_unet, width 24, norm batch | 2.65 M | 22.400 G |' in card


def test_card_warns_where_terms_restrict() -> None:
    card = model_card(manifest(('camvid', 'kitti')))
    assert 'CC BY-NC-SA 3.0' in card
    assert 'other non-commercial purposes' in card


def test_card_of_unrestricted_data_restricts_nothing() -> None:
    card = model_card(manifest(('synthetic',)))
    assert 'non-commercial' not in card
    assert 'BDD100K' not in card


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        ({}, ''),
        ({'prior': True}, 'takes the logits of the coarse one as a fourth channel.'),
        (
            {'prior': True, 'prior_features': 4},
            'The coarse network gives 1 x 5 x 64 x 128: its logits, and 4 features of its decoder',
        ),
    ],
)
def test_what_stage_2_sees_is_said(options: dict[str, Any], said: str) -> None:
    plain = manifest(('camvid',))
    geometry = dataclasses.replace(plain.geometry, **options)
    card = model_card(dataclasses.replace(plain, geometry=geometry)).replace('\n', ' ')
    assert said in card
    assert ('coarse one' in card or 'The coarse network gives' in card) == bool(said)

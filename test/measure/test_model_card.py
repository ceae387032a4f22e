from __future__ import annotations

from stseg_ros.bundle import Geometry, Manifest, NetworkFile, Networks
from stseg_ros.config import SegmenterSettings
from stseg_ros.measure.model_card import model_card

STAGE = {
    'architecture': 'paper_unet',
    'width': 24,
    'norm': 'batch',
    'parameters': 2_650_000,
    'steps': 5000,
    'batch': 32,
    'loss': 'bce_dice',
    'seed': 7,
    'minutes': 33.0,
}
ROW = {'dice': 0.8124, 'mean_image_dice': 0.7, 'iou': 0.6, 'precision': 0.5, 'recall': 0.9}


def manifest(datasets: tuple[str, ...]) -> Manifest:
    return Manifest(
        schema=1,
        name='some_model',
        classes=('background', 'vehicle'),
        geometry=Geometry(working_hw=(512, 1024), coarse_factor=8, grid=(4, 8), max_regions=32),
        recommended=SegmenterSettings(regions=8, fusion='add', threshold=0.65),
        networks=Networks(
            coarse=NetworkFile(file='coarse.onnx', sha256='0'),
            refine=NetworkFile(file='refine.onnx', sha256='0'),
        ),
        provenance={
            'method': 'someone, 2022',
            'networks': {'coarse': STAGE, 'refine': STAGE | {'steps': 8000}},
            'sources': [{'dataset': name, 'images': 10, 'weight': 0.5} for name in datasets],
            'parity': {'coarse': {'onnxruntime': 0.0004, 'labels_changed_by_fp16': 0.00012}},
        },
        scores={
            'camvid val': {
                'images': 101,
                'backend': 'openvino, some CPU',
                'threshold': 0.65,
                'results': [
                    {'mode': 'coarse', 'regions': 0, **ROW},
                    {'mode': 'two_stage', 'fusion': 'add', 'regions': 8, **ROW, 'dice': 0.85},
                ],
            }
        },
    )


def test_card_states_geometry_training_and_scores() -> None:
    card = model_card(manifest(('camvid', 'kitti')))
    assert card.startswith('# some_model\n')
    assert 'resized to 1024x512' in card
    assert '4 x 8 regions of 128x128 pixels' in card
    assert '8 regions per frame, fusion `add`, threshold 0.65' in card
    assert '| coarse | paper_unet, width 24, norm batch | 2.65 M | 5000 x 32 |' in card
    assert '| two_stage, add | 8 | 0.850 | 0.700 | 0.600 | 0.500 | 0.900 |' in card
    assert '| coarse | 0 | 0.812 |' in card
    assert 'coarse: FP16 changes 0.0120% of the labels' in card
    assert 'onnxruntime 4.0e-04' in card


def test_card_warns_where_scores_flatter_and_where_terms_restrict() -> None:
    card = model_card(manifest(('camvid', 'kitti')))
    assert 'flatter' in card
    assert 'CC BY-NC-SA 3.0' in card
    assert 'other non-commercial purposes' in card


def test_card_of_unrestricted_data_restricts_nothing() -> None:
    card = model_card(manifest(('synthetic',)))
    assert 'non-commercial' not in card
    assert 'BDD100K' not in card

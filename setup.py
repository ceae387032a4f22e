from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = 'stseg_ros'
SHARE = f'share/{PACKAGE}'


def files_below(folder: str) -> list[tuple[str, list[str]]]:
    """List a folder's files as data files that keep their place below the share folder."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(folder).rglob('*')):
        if path.is_file() and '__pycache__' not in path.parts:
            found.setdefault(f'{SHARE}/{path.parent.as_posix()}', []).append(path.as_posix())
    return list(found.items())


setup(
    name=PACKAGE,
    version='0.1.0',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml']),
        *files_below('launch'),
        *files_below('config'),
        *files_below('models'),
    ],
    python_requires='>=3.10',
    install_requires=['setuptools', 'numpy', 'PyYAML'],
    extras_require={
        'cpu': [
            'onnxruntime',
            'openvino',
            'opencv-python-headless',
            'rosbags',
            'tqdm',
            'matplotlib',
        ],
        'tensorrt': ['cuda-bindings', 'onnx'],
        'train': ['torch', 'onnx', 'onnxscript'],
        'test': ['pytest', 'hypothesis'],
    },
    zip_safe=True,
    author='stseg_ros maintainers',
    maintainer='stseg_ros maintainers',
    maintainer_email='maintainers@stseg-ros.example.org',
    description='Two-stage vehicle segmentation of camera images for ROS 2',
    license='Apache-2.0',
    entry_points={
        'console_scripts': [
            'stseg = stseg_ros.cli:main',
            'segmenter_node = stseg_ros.ros_node.segmenter_node:main',
            'multi_segmenter_node = stseg_ros.ros_node.multi_segmenter_node:main',
        ],
    },
)

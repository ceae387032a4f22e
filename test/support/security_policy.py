"""The shipped SROS2 policy, as sros2 reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

POLICY = Path(__file__).parents[2] / 'config' / 'sros2' / 'segmenter.policy.xml'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Full names of topics and services."""

    publish: set[str]
    subscribe: set[str]
    reply: set[str]
    request: set[str]


def read_policy(path: Path = POLICY) -> Rights:
    """Expand a policy's names, of its only profile."""
    (profile,) = ElementTree.parse(path).getroot().iter('profile')
    namespace = profile.attrib['ns'].rstrip('/')
    node = f'{namespace}/{profile.attrib["node"]}'
    rights: dict[str, set[str]] = {}
    for rule in profile:
        for right, verdict in rule.attrib.items():
            assert verdict == 'ALLOW'
            assert right not in rights, f'{right} stands twice'
            found = rights.setdefault(right, set())
            for entry in rule:
                name = entry.text or ''
                if name.startswith('~'):
                    name = node + name[1:]
                elif not name.startswith('/'):
                    name = f'{namespace}/{name}'
                assert name not in found, f'{name} stands twice'
                found.add(name)
    return Rights(
        publish=rights.get('publish', set()),
        subscribe=rights.get('subscribe', set()),
        reply=rights.get('reply', set()),
        request=rights.get('request', set()),
    )

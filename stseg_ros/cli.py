"""The `stseg` command: finds the verb, runs it, and turns errors into one line."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Iterable
from importlib import metadata
from types import ModuleType
from typing import Any, NoReturn

from stseg_ros.errors import StsegError

# Name and summary of each verb here, so that `stseg --help` imports none of them.
VERBS = {
    'segment': 'segment images and write masks and overlays',
    'replay': 'segment every image of a bag into another bag, offline',
    'bag': 'make, inspect and play bags, with or without a ROS installation',
    'demo': 'run the node on a bag over ROS 2 and report masks, latency and pictures',
    'scenes': 'draw synthetic road scenes with exact vehicle masks',
    'data': 'check data sets before training: counts, sizes, labels, a contact sheet',
    'train': 'train the networks of a recipe',
    'evaluate': 'score a bundle on labelled images, with figures and pictures',
    'benchmark': 'time a bundle in every way it runs, with intervals, tables and figures',
    'export': 'turn a training run into a bundle that the node runs',
    'build': "build a bundle's TensorRT engines ahead, list or delete them",
    'soak': 'run the node under good and bad images for long, and check what it promises',
    'doctor': 'check this machine and say what to do',
}

_USAGE_ERROR = 2
_INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: arguments without the program's name; None takes the process's own.

    Returns:
        Exit status: 0 for success, 2 for wrong use or input, 130 after Ctrl-C.

    Raises:
        SystemExit: help was asked for (0), or the arguments are wrong (2).
    """
    arguments = sys.argv[1:] if argv is None else argv
    name = next((word for word in arguments if not word.startswith('-')), None)
    parser = _top_parser()
    verb = _import_verb(name) if name in VERBS else None
    subparsers = parser.add_subparsers(dest='verb', metavar='VERB', title='verbs')
    for verb_name, summary in VERBS.items():
        if verb is not None and verb_name == name:
            verb_parser = subparsers.add_parser(
                verb_name,
                help=summary,
                description=verb.SUMMARY,
                epilog=_examples(verb.EXAMPLES),
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
            verb.add_arguments(verb_parser)
        else:
            subparsers.add_parser(verb_name, help=summary, add_help=False)
    parsed = parser.parse_args(arguments)
    if verb is None:
        parser.print_help()
        return 0
    return _run(verb, parsed, f'stseg {name}')


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with a guess at what was meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse, and refuse what is left over here, where its verb is known."""
        words = list(sys.argv[1:] if args is None else args)
        self._check_names(words)
        parsed, rest = super().parse_known_args(words, namespace)
        if rest:
            self.error(f'unexpected argument {rest[0]!r}')
        return parsed, []

    def error(self, message: str) -> NoReturn:
        """Print the message in one line, and end with status 2."""
        end = '' if message.endswith('?') else ';'
        self.exit(_USAGE_ERROR, f'{self.prog}: {message}{end} see {self.prog} --help\n')

    def _check_names(self, words: list[str]) -> None:
        """Refuse a mistyped verb or option, before argparse misses what it should have been."""
        below = next((item for item in self._actions if item.nargs == argparse.PARSER), None)
        for word in words:
            if word == '--':
                return
            if below is not None and not word.startswith('-'):
                names = list(below.choices or ())
                if word not in names:
                    advice = _did_you_mean(word, names) or f'expected one of {", ".join(names)}'
                    self.error(f'unknown {str(below.metavar).lower()} {word!r}; {advice}')
                return  # What follows is the verb's own.
            name = word.partition('=')[0]
            known = self._option_string_actions
            # argparse takes the beginning of a name for the name.
            if _looks_like_option(word) and not any(option.startswith(name) for option in known):
                advice = _did_you_mean(name, known)
                self.error(f'unknown option {name}' + (f'; {advice}' if advice else ''))


def _looks_like_option(word: str) -> bool:
    """Whether argparse would not take a word for a value."""
    if not word.startswith('-') or word == '-' or ' ' in word:
        return False
    try:
        float(word)
    except ValueError:
        return True
    return False


def _did_you_mean(word: str, names: Iterable[str]) -> str:
    """Guess the name that was meant; empty where none is like it."""
    plain = {name.lstrip('-'): name for name in names}
    meant = word.lstrip('-')
    close = difflib.get_close_matches(meant, plain, n=1)
    longer = [name for name in plain if name.startswith(meant)]
    found = close or (longer if len(longer) == 1 else [])
    return f'did you mean {plain[found[0]]}?' if found else ''


def _run(verb: ModuleType, parsed: argparse.Namespace, title: str) -> int:
    """Call a verb; what it raises for users becomes one line on stderr."""
    try:
        status: int = verb.run(parsed)
    except StsegError as err:
        print(f'{title}: {err}', file=sys.stderr)
        return _USAGE_ERROR
    except KeyboardInterrupt:
        print(f'\n{title}: interrupted', file=sys.stderr)
        return _INTERRUPTED
    return status


def _import_verb(name: str | None) -> ModuleType:
    return importlib.import_module(f'stseg_ros.verbs.{name}')


def _top_parser() -> _Parser:
    parser = _Parser(
        prog='stseg',
        description='Two-stage vehicle segmentation of camera images.',
        epilog=_examples(
            'stseg segment street.jpg --output out\n'
            'stseg bag from-images images/ --rate 10 --output drive\n'
            'stseg replay drive --bundle driving_small --output drive_masks\n'
            'stseg VERB --help'
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    # The short name also makes room for the longest verb in the column of names.
    parser.add_argument('-V', '--version', action='version', version=f'stseg {_version()}')
    return parser


def _examples(text: str) -> str:
    lines = '\n'.join(f'  {line.strip()}' for line in text.strip().splitlines())
    return f'examples:\n{lines}'


def _version() -> str:
    try:
        return metadata.version('stseg_ros')
    except metadata.PackageNotFoundError:
        return 'unknown (not installed)'


if __name__ == '__main__':
    sys.exit(main())

"""What a block got is given back when the block fails, and only then."""

from __future__ import annotations

import pytest

from stseg_ros.engines.cuda.undo import undone_on_failure
from stseg_ros.errors import EngineError


class Book:
    """Notes what is given back, and refuses some of it."""

    def __init__(self, *refused: str) -> None:
        self.given_back: list[str] = []
        self._refused = refused

    def give_back(self, name: str) -> None:
        self.given_back.append(name)
        if name in self._refused:
            raise EngineError(f'{name} cannot be given back')


def fail_after(book: Book, names: tuple[str, ...], failure: BaseException) -> None:
    with undone_on_failure() as undo:
        for name in names:
            undo.callback(book.give_back, name)
        raise failure


@pytest.mark.parametrize('failure', [EngineError, KeyboardInterrupt, AssertionError])
def test_what_a_failing_block_got_is_given_back_last_first(failure: type[BaseException]) -> None:
    book = Book()
    with pytest.raises(failure):
        fail_after(book, ('first', 'second'), failure())
    assert book.given_back == ['second', 'first']


def test_what_cannot_be_given_back_hides_neither_the_rest_nor_the_failure() -> None:
    book = Book('second', 'third')
    with pytest.raises(EngineError, match='what went wrong'):
        fail_after(book, ('first', 'second', 'third'), EngineError('what went wrong'))
    assert book.given_back == ['third', 'second', 'first']


def test_what_a_good_block_got_is_kept_until_it_is_closed() -> None:
    book = Book()
    with undone_on_failure() as undo:
        undo.callback(book.give_back, 'it')
    assert book.given_back == []
    undo.close()
    undo.close()
    assert book.given_back == ['it']

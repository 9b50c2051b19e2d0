"""What a model sees of a word: its normal form, its shape, its affixes and its characters."""

from __future__ import annotations

SHAPE_RUN = 2  # characters of one class shown in a shape; longer runs are cut
SHAPE_LENGTH = 8  # classes shown; long outlines are all rare: their beginnings serve


def normalise(word: str, lowercase: bool) -> str:
    """The form under which a word's vector is looked up: every digit is `0`, and in lower case if asked."""
    if not word.isascii() or not word.isalpha():
        word = "".join("0" if character.isdigit() else character for character in word)
    return word.lower() if lowercase else word


def kind(character: str) -> str:
    """A character's class, as a shape shows it."""
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "d"
    return "c" if character.isalpha() else character


def shape(word: str) -> str:
    """A word's outline: `X` upper case, `x` lower case, `d` digit, `c` letters without case, others themselves.

    Runs of one class are cut to two, so that `London` is `Xxx`, `1984` is `dd` and `U.S.` is `X.X.`.
    """
    pieces: list[str] = []
    for character in word:
        pieces.append(kind(character))
        if len(pieces) > SHAPE_RUN and len(set(pieces[-SHAPE_RUN - 1 :])) == 1:
            pieces.pop()
        if len(pieces) == SHAPE_LENGTH:
            break
    return "".join(pieces)


def prefix(word: str, length: int) -> str:
    """The first `length` characters in lower case; a shorter word is its own prefix."""
    return word[:length].lower()


def suffix(word: str, length: int) -> str:
    """The last `length` characters in lower case; a shorter word is its own suffix."""
    return word[-length:].lower()


def clip_characters(word: str, length: int) -> str:
    """At most `length` characters of a word: of a longer one, its first and last halves."""
    if len(word) <= length:
        return word
    head = (length + 1) // 2
    return word[:head] + word[len(word) - (length - head) :]

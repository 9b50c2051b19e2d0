"""Derive features of a word: its normal form, shape, affixes and characters."""

from __future__ import annotations

SHAPE_RUN = 2  # characters of one class in a row; longer runs are cut
SHAPE_LENGTH = 8  # classes in a shape; longer shapes are rare, so their beginnings suffice


def normalise(word: str, lowercase: bool) -> str:
    """Return the form under which a word's vector is looked up: digits are `0`, optionally in lower case."""
    if not word.isascii() or not word.isalpha():
        word = "".join("0" if character.isdigit() else character for character in word)
    return word.lower() if lowercase else word


def kind(character: str) -> str:
    """Return a character's class: `X` upper case, `x` lower case, `d` digit, `c` other letters, else the character."""
    if character.isupper():
        return "X"
    if character.islower():
        return "x"
    if character.isdigit():
        return "d"
    return "c" if character.isalpha() else character


def shape(word: str) -> str:
    """Return a word's outline of character classes; see `kind`.

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
    """Return the first `length` characters in lower case. A shorter word is its own prefix."""
    return word[:length].lower()


def suffix(word: str, length: int) -> str:
    """Return the last `length` characters in lower case. A shorter word is its own suffix."""
    return word[-length:].lower()


def clip_characters(word: str, length: int) -> str:
    """Return at most `length` characters of a word: of a longer one the beginning and the end, half each."""
    if len(word) <= length:
        return word
    head = (length + 1) // 2
    return word[:head] + word[len(word) - (length - head) :]

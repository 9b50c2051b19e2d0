"""Print a language's frequent words, one per line, and words made up of them as the web writes them.

    pip install wordfreq==3.1.1
    python scripts/frequent_words.py --language en > words.txt

The words are wordfreq's (Speer 2022; Wikipedia, subtitles, news, books, web, Twitter, Reddit), most frequent first.
Then come user names, hashtags, compounds, addresses and numbers, drawn at random from these words. The list is for
`scripts/distill_vectors.py`. The same arguments print the same list.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from random import Random

FORMS = (  # how often, and what a first and a second word and a number become
    (7, "@{0}"),
    (7, "#{0}"),
    (7, "{0}-{1}"),
    (4, "{0}'s"),
    (2, "{0}."),
    (2, "@{0}{1}"),
    (2, "#{0}{1}"),
    (1, "{0}{1}"),
    (1, "@{0}_{1}"),
    (1, "{0}_{1}"),
    (1, "@{0}{2}"),
    (1, "{0}{2}"),
    (1, "www.{0}.com"),
    (1, "http://{0}.org"),
    (1, "{2}"),
    (1, "{2}%"),
    (1, "${2}"),
    (1, "{2}th"),
    (1, "{2}.{3}"),
    (1, "{3}:{3}"),
)


def frequent_words(language: str, count: int, forms: int) -> list[str]:
    """The `count` most frequent words, then `forms` made up of them; each once.

    Raises:
        LookupError: wordfreq does not know the language.
    """
    from wordfreq import top_n_list

    words = [word for word in top_n_list(language, count) if len(word.split()) == 1]
    random = Random(1)
    patterns = random.choices([pattern for _, pattern in FORMS], [weight for weight, _ in FORMS], k=forms)
    made = [
        pattern.format(*random.choices(words, k=2), random.randrange(10 ** random.randint(1, 6)), random.randrange(60))
        for pattern in patterns
    ]
    return list(dict.fromkeys([*words, *made]))


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and print; 0, or 2 for wrong use."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--language", required=True, help="its code, as en")
    parser.add_argument("--count", type=int, default=130_000, help="frequent words (default 130,000)")
    parser.add_argument("--forms", type=int, default=50_000, help="words made up of them (default 50,000)")
    arguments = parser.parse_args(argv)
    try:
        words = frequent_words(arguments.language, arguments.count, arguments.forms)
    except ImportError as error:
        print(f"error: it needs another package ({error}): pip install wordfreq", file=sys.stderr)
        return 2
    except LookupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(words))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The report as a page: plots, sentences to browse, and the templates that put them together."""

NEEDED = "a page needs Jinja and matplotlib, and one of them is not installed; pip install 'tagger[report]'"


class NoPageError(Exception):
    """What a page is made with is not installed; the message says what to install."""

"""The one error a user's mistake raises."""


class UserError(Exception):
    """Something the user can put right: bad input, a wrong setting, a missing extra.

    The message is one line: where, what was expected, what came, and what to do. Entry points print it without a
    traceback and exit with code 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

"""Serve models over HTTP, with a page to try them. Needs the extra `serve`."""

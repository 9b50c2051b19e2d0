"""Render templates as HTML and define the colours of all pages."""

"""HTML pages: templates filled in, and the colours of all pages."""

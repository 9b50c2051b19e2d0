"""The report as a page: plots, sentences to browse, and the templates that put them together."""

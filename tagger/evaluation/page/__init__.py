"""Write a report as an HTML page: plots, sentences to browse, and templates."""

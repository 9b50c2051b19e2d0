"""A model as a part of other libraries."""

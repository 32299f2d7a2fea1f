"""Everything said to a text tower or to a language model: states, templates and the defect vocabulary.

The package needs torch and the standard library alone.
"""

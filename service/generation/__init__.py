"""From words to documents of the case language.

A generator makes forms, never text: what it says is printed by the language's own printer, so that
nothing which was said to it can leave its string. Whether the document may run is not for it to
say: it is validated like any other.
"""

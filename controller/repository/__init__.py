"""The fleet repository: from a Git remote, or a folder, to a Declaration or to everything that is wrong with it.

``declare`` is the way from files to a Declaration, ``git_source`` the way from a remote to files; ``tree`` is what
the two have in common. Nothing here judges what may be upgraded: that is the core's.
"""

"""Git as a command: the only place of this package that starts ``git``, for whoever reads or writes a remote.

Two sides need it (the fleet repository is read, commit statuses are written as notes), so it stands below both. It
knows addresses, credentials, time limits and Git's ways to fail; it knows nothing of fleets, branches or notes.
"""

from controller.gitcommand.command import GitCommand
from controller.gitcommand.faults import GitError, GitFault
from controller.gitcommand.remote import GitCredentials, GitRemote, as_url, checked_branch

__all__ = ["GitCommand", "GitCredentials", "GitError", "GitFault", "GitRemote", "as_url", "checked_branch"]

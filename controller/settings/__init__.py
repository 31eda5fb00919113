"""The settings of this process, from flags, the environment, a TOML file and defaults.

``table`` says which settings there are, ``kinds`` what their texts may be, ``loading`` where the texts come from.
What people declare for their fleet is no setting: that is in Git.
"""

from controller.settings.kinds import Address, LogFormat, Mode, Secret, StatusChannel
from controller.settings.loading import load_settings, not_set
from controller.settings.table import SETTINGS, SETTINGS_FILE_ENV, SETTINGS_FILE_FLAG, Setting, Settings

__all__ = [
    "SETTINGS",
    "SETTINGS_FILE_ENV",
    "SETTINGS_FILE_FLAG",
    "Address",
    "LogFormat",
    "Mode",
    "Secret",
    "Setting",
    "Settings",
    "StatusChannel",
    "load_settings",
    "not_set",
]

"""The words: frozen values that every other module speaks in. No input, no output, no clock."""

"""The nouns: frozen values that everything else is a verb on."""

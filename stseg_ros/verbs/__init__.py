"""One module per `stseg` verb, imported when it is called."""

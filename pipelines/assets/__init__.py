"""Assets, one file a layer: which frames go into which transform."""

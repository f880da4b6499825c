"""The exported schemas in the language server that VS Code and others run."""

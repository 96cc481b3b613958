"""The command `tl-keras`: one module per subcommand, on absl flags."""

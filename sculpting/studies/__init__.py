"""Studies of many networks: one folder a study, with its cells, its report and what was published."""

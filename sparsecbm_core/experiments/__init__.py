"""The paper's tables and figures, and what goes beyond them, each by one command.

An experiment is a file of its own (`experiment.Study`): a list of parts, a summary of what they gave, a
figure, tables. The runner
keeps every finished part in a JSON file, so that a stopped run goes on where it was; `docs` makes a page of
those files. `registry.EXPERIMENTS` names them all.
"""

# t/: lint tests and what belongs to no folder.

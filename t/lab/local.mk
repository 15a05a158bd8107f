# t/lab/

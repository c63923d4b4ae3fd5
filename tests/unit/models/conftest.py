"""What is no test of models here: a network that `test_add_a_model.py` adds."""

collect_ignore = ["toy"]

"""Planning: a simulation of the pipeline, from pages a day to GPUs, waiting times and money."""

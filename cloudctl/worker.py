"""Workers: the engine behind Celery tasks that carry an operation id and nothing else."""

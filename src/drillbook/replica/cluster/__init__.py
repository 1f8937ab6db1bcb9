"""A replica on a cluster that the user has already: in namespaces made for it, and in nothing else."""

__all__: list[str] = []

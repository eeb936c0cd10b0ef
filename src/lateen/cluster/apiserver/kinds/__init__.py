"""Built-in kinds: every group Kubernetes itself serves, with its defaults, rules, strategies and printed columns."""

from lateen.cluster.apiserver.kinds.builtin import builtin_kinds

__all__ = ["builtin_kinds"]

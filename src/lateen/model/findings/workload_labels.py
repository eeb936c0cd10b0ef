"""Which labels workloads have: for telling whether a selector selects anything."""

from __future__ import annotations

from lateen.engine import Reader, query
from lateen.model.inputs import PODS, WORKLOAD_ENTRIES
from lateen.model.proxy import Labels


@query
def label_sets(db: Reader, namespace: str) -> frozenset[Labels]:
    """The labels of the pods and WorkloadEntries of a namespace, each combination once."""
    pods = (PODS.get(db, key) for key in PODS.where(db, "namespace", namespace))
    entries = (WORKLOAD_ENTRIES.get(db, key) for key in WORKLOAD_ENTRIES.where(db, "namespace", namespace))
    return frozenset(
        (
            *(tuple(sorted(pod.metadata.labels.items())) for pod in pods if pod is not None),
            *(
                tuple(sorted({**entry.metadata.labels, **entry.spec.labels}.items()))
                for entry in entries
                if entry is not None
            ),
        )
    )


def selects_nothing(db: Reader, namespace: str, selector: Labels) -> bool:
    """Whether no workload of a namespace has these labels."""
    wanted = set(selector)
    return not any(wanted.issubset(labels) for labels in label_sets(db, namespace))

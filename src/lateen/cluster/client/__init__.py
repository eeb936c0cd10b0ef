"""An asynchronous client of the Kubernetes API: calls, watches, informers, work queues, events."""

from lateen.cluster.client.api import Client, ObjectList
from lateen.cluster.client.informer import Informer
from lateen.cluster.client.informer_factory import InformerFactory

__all__ = ["Client", "Informer", "InformerFactory", "ObjectList"]

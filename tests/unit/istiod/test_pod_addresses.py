from __future__ import annotations

from lateen.api.kubernetes.pod import Pod, PodStatus
from lateen.api.objects import Key, Metadata
from lateen.engine import Engine
from lateen.istiod.pod_addresses import PodAddresses
from lateen.model.inputs import PODS


def test_only_an_address_that_is_one_pods_own_tells_anything() -> None:
    engine = Engine()
    with engine.change() as tx:
        for name, address, host in (
            ("own", "10.0.0.1", "192.168.0.1"),
            ("host", "192.168.0.1", "192.168.0.1"),
            ("one", "10.0.0.2", "192.168.0.1"),
            ("two", "10.0.0.2", "192.168.0.2"),
        ):
            metadata = Metadata(name=name, namespace="shop")
            tx.set(
                PODS,
                Key("shop", name),
                Pod(metadata=metadata, status=PodStatus(phase="Running", pod_ip=address, host_ip=host)),
            )
    found = PodAddresses(engine)
    assert found.holder("10.0.0.1") == "shop/own"
    assert [found.holder(each) for each in ("192.168.0.1", "10.0.0.2", "10.0.0.3", "")] == [""] * 4

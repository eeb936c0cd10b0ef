"""The texts of the ConfigMap `istio-sidecar-injector`."""

from __future__ import annotations

import json
from typing import Any

import yaml

from lateen.install.explicit import explicit
from lateen.install.values.operator import Operator


def injector_values(operator: Operator) -> dict[str, Any]:
    """The values that injection reads, with every default: templates of users read them too."""
    found: dict[str, Any] = explicit(operator.values.for_injection())
    return found


def injector_values_text(operator: Operator) -> str:
    return json.dumps(injector_values(operator), indent=2)


def injector_config_text(operator: Operator) -> str:
    webhook = explicit(operator.values.sidecar_injector_webhook)
    config = {
        "policy": explicit(operator.values.global_.proxy.auto_inject),
        "defaultTemplates": webhook["defaultTemplates"] or ["sidecar"],
        "templates": webhook["templates"],
        "alwaysInjectSelector": webhook["alwaysInjectSelector"],
        "neverInjectSelector": webhook["neverInjectSelector"],
        "injectedAnnotations": webhook["injectedAnnotations"],
    }
    return yaml.safe_dump(config, sort_keys=False)

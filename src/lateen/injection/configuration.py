"""The configuration of injection, as the ConfigMap `istio-sidecar-injector` holds it: keys `config` and `values`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from lateen.api.mesh.label_selector import LabelSelector, SelectorOperator
from lateen.api.schema.bounded_yaml import load_object
from lateen.api.schema.decode import Decoder
from lateen.api.schema.fault import Fault, Severity, error, warning
from lateen.api.schema.message import Message
from lateen.injection.go_template.errors import TemplateError
from lateen.injection.go_template.template import Template, parse_template
from lateen.injection.template_functions import FUNCTION_NAMES
from lateen.injection.templates import BUILT_IN
from lateen.injection.values import AutoInject, Values
from lateen.injection.values_parsing import parse_values

CONFIG_KEY: Final = "config"
VALUES_KEY: Final = "values"
_DEFAULT_TEMPLATES: Final = ("sidecar",)


class _Config(Message, frozen=True):
    policy: AutoInject | None = None
    """What holds for pods that say nothing."""
    default_templates: tuple[str, ...] = ()
    templates: dict[str, str] = {}
    template: str = ""
    """Of Istio's oldest configurations; Istio's own ConfigMap has a text here that is not meant to be used."""
    aliases: dict[str, tuple[str, ...]] = {}
    never_inject_selector: tuple[LabelSelector, ...] = ()
    always_inject_selector: tuple[LabelSelector, ...] = ()
    injected_annotations: dict[str, str] = {}


class InjectionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that injection is configured by, but MeshConfig."""

    policy: AutoInject = AutoInject.ENABLED
    never_inject: tuple[LabelSelector, ...] = ()
    always_inject: tuple[LabelSelector, ...] = ()
    injected_annotations: Mapping[str, str] = {}
    """Set on every injected pod."""
    default_templates: tuple[str, ...] = _DEFAULT_TEMPLATES
    templates: Mapping[str, Template] = {}
    """Users' own, by name."""
    aliases: Mapping[str, tuple[str, ...]] = {}
    """Names that stand for several templates."""
    search_domains: tuple[Template, ...] = ()
    """`global.podDNSSearchNamespaces`, each a template."""
    values: Values = Values()
    raw_values: Mapping[str, Any] = {}
    """The values as written, for users' templates."""

    @property
    def known_templates(self) -> tuple[str, ...]:
        return tuple(sorted({*BUILT_IN, *self.templates}))


_DECODER: Final = Decoder(_Config)


def parse_injection(config: str, values: str) -> tuple[InjectionConfig | None, tuple[Fault, ...]]:
    """From the two texts of the ConfigMap (YAML; JSON is YAML). None iff some fault is an ERROR.

    Paths of faults begin with the ConfigMap's key: `config.policy`, `values.global.proxy.image`.
    """
    found, config_faults = _config(config)
    raw = load_object(values)
    if isinstance(raw, Fault):
        return None, (*config_faults, _below(VALUES_KEY, raw))
    read, value_faults = parse_values(raw)
    faults = (*config_faults, *(_below(VALUES_KEY, fault) for fault in value_faults))
    if found is None or read is None:
        return None, faults
    templates, wrong = _templates({**read.sidecar_injector_webhook.templates, **found.templates})
    searches, wrong_searches = _search_domains(read.global_.pod_dns_search_namespaces)
    result = _joined(found, read, templates, searches, raw)
    faults = (*faults, *wrong, *wrong_searches, *_judge(found, result))
    return (None if any(fault.severity is Severity.ERROR for fault in faults) else result), faults


def _config(text: str) -> tuple[_Config | None, tuple[Fault, ...]]:
    raw = load_object(text)
    if isinstance(raw, Fault):
        return None, (_below(CONFIG_KEY, raw),)
    # An empty list or map in YAML is often written as nothing.
    config, faults = _DECODER.decode({key: value for key, value in raw.items() if value is not None})
    return config, tuple(_below(CONFIG_KEY, fault) for fault in faults)


def _joined(
    config: _Config,
    values: Values,
    templates: Mapping[str, Template],
    searches: tuple[Template, ...],
    raw: Mapping[str, Any],
) -> InjectionConfig:
    webhook = values.sidecar_injector_webhook
    return InjectionConfig(
        policy=config.policy or values.global_.proxy.auto_inject,
        never_inject=config.never_inject_selector or webhook.never_inject_selector,
        always_inject=config.always_inject_selector or webhook.always_inject_selector,
        injected_annotations=config.injected_annotations or webhook.injected_annotations,
        default_templates=config.default_templates or webhook.default_templates or _DEFAULT_TEMPLATES,
        templates=templates,
        aliases=config.aliases,
        search_domains=searches,
        values=values,
        raw_values=raw,
    )


def _templates(texts: Mapping[str, str]) -> tuple[dict[str, Template], tuple[Fault, ...]]:
    templates, faults = {}, []
    for name, text in texts.items():
        try:
            templates[name] = parse_template(name, text, FUNCTION_NAMES)
        except TemplateError as problem:
            faults.append(error(f"{CONFIG_KEY}.templates[{name}]", str(problem)))
    return templates, tuple(faults)


def _search_domains(texts: tuple[str, ...]) -> tuple[tuple[Template, ...], tuple[Fault, ...]]:
    found, faults = [], []
    for index, text in enumerate(texts):
        path = f"global.podDNSSearchNamespaces[{index}]"
        try:
            found.append(parse_template(path, text, FUNCTION_NAMES))
        except TemplateError as problem:
            faults.append(error(f"{VALUES_KEY}.{path}", str(problem)))
    return tuple(found), tuple(faults)


def _judge(config: _Config, result: InjectionConfig) -> Iterator[Fault]:
    known = set(result.known_templates)
    for index, name in enumerate(result.default_templates):
        if name not in known and name not in result.aliases:
            yield error(f"{CONFIG_KEY}.defaultTemplates[{index}]", _unknown(name, result))
    for alias, names in result.aliases.items():
        for index, name in enumerate(names):
            if name not in known:
                yield error(f"{CONFIG_KEY}.aliases[{alias}][{index}]", _unknown(name, result))
    if config.template and "Template_Version_And_Istio_Version_Mismatched" not in config.template:
        yield warning(f"{CONFIG_KEY}.template", "has no effect: templates have names, under config.templates")
    for path, selectors in (
        ("neverInjectSelector", result.never_inject),
        ("alwaysInjectSelector", result.always_inject),
    ):
        for index, selector in enumerate(selectors):
            yield from _selector(selector, f"{CONFIG_KEY}.{path}[{index}]")


def _selector(selector: LabelSelector, path: str) -> Iterator[Fault]:
    if not selector.match_labels and not selector.match_expressions:
        yield warning(path, "is empty and selects nothing")
    for index, each in enumerate(selector.match_expressions):
        needs = each.operator in (SelectorOperator.IN, SelectorOperator.NOT_IN)
        if needs != bool(each.values):
            wanted = "at least one value" if needs else "no values"
            yield error(f"{path}.matchExpressions[{index}].values", f"{each.operator.value} takes {wanted}")


def _unknown(name: str, config: InjectionConfig) -> str:
    return f"there is no template {name!r}; there are {', '.join(config.known_templates)}"


def _below(key: str, fault: Fault) -> Fault:
    return msgspec.structs.replace(fault, path=f"{key}.{fault.path}" if fault.path else key)

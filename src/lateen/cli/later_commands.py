"""Commands of istioctl that this version does not have: whoever types them is told so, and what there is instead."""

from __future__ import annotations

from typing import Final

import click

_ADDONS: Final = "it belongs to an addon, which the mesh does not install: `kubectl port-forward` reaches it"
_AMBIENT: Final = "the ambient mode is not part of this version"
_CLUSTERS: Final = "several clusters are not part of this version"
_REVISION: Final = "name the revision on namespaces instead: `kubectl label namespace NAME istio.io/rev=REVISION`"

_INSTEAD: Final = {
    "admin": "the control plane's log level is set by `--set values.global.logging.level=LEVEL`",
    "analyze": "`lateen validate -f FILE` judges manifests, `kubectl get istio-io -A -o yaml | lateen validate -f -` "
    "what is in a cluster; the status of each resource has what the control plane found",
    "bug-report": "`kubectl logs -n istio-system deploy/istiod`, `lateen proxy-status` and `lateen proxy-config all` "
    "tell most",
    "completion": "it depends on the shell: `_LATEEN_COMPLETE=bash_source lateen` prints it",
    "create-remote-secret": _CLUSTERS,
    "remote-clusters": _CLUSTERS,
    "operator": "`lateen install -f FILE` takes an IstioOperator; there is no controller in the cluster",
    "tag": _REVISION,
    "waypoint": _AMBIENT,
    "ztunnel-config": _AMBIENT,
    "dashboard grafana": _ADDONS,
    "dashboard jaeger": _ADDONS,
    "dashboard kiali": _ADDONS,
    "dashboard prometheus": _ADDONS,
    "dashboard skywalking": _ADDONS,
    "dashboard zipkin": _ADDONS,
    "experimental authz": "`lateen proxy-config listener POD -o json` has the rules that a proxy enforces",
    "experimental describe": "see `lateen proxy-config route POD` and `lateen experimental check-inject POD`",
    "experimental envoy-stats": "`kubectl exec POD -c istio-proxy -- pilot-agent request GET stats` prints them",
    "experimental injector": "see `kubectl get mutatingwebhookconfigurations` and `lateen experimental check-inject`",
    "experimental internal-debug": "`lateen dashboard istiod-debug` has these pages",
    "experimental metrics": "`kubectl exec POD -c istio-proxy -- pilot-agent request GET stats/prometheus` prints them",
    "experimental precheck": "`lateen install --dry-run` lets the cluster judge everything that would be installed",
    "experimental proxy-status": "`lateen proxy-status` is the same",
    "experimental revision": _REVISION,
    "experimental wait": "the status of a resource says which proxies have it",
    "experimental waypoint": _AMBIENT,
    "experimental workload": "machines outside of clusters are not part of this version",
    "experimental ztunnel-config": _AMBIENT,
    "manifest diff": "compare what `lateen manifest generate` prints with `diff`",
    "profile diff": "compare what `lateen profile dump` prints with `diff`",
}


class Commands(click.Group):
    """A group that knows which commands are missing."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        within = f"{ctx.command.name} " if ctx.parent is not None else ""
        told = within + args[0]
        if self.get_command(ctx, args[0]) is None and told in _INSTEAD:
            raise click.UsageError(f"`{told}` is not supported yet by this version: {_INSTEAD[told]}.", ctx)
        return super().resolve_command(ctx, args)

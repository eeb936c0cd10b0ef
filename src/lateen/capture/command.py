"""`istio-init`, which is also `pilot-agent istio-iptables`: captures the traffic of the network namespace it runs in.

Flags, environment variables and defaults are those of Istio's `istio-iptables`. Its `ENVOY_PORT` variable is not read:
where there is a Service named `envoy`, Kubernetes sets it to something else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from lateen.api.schema.duration import Duration, parse_duration
from lateen.capture import options
from lateen.capture.apply import choose, install, uninstall
from lateen.capture.capture import Capture, Dns, Mode
from lateen.capture.log import Log, output_level
from lateen.capture.namespace import enter, has_ipv6, interface_addresses, name_servers
from lateen.capture.probe import probe
from lateen.capture.programs import CaptureError, Kernel, Printer, Programs

_NOT_CAPTURED: Final = 126
"""The exit code when validation fails; Istio's CNI repair looks for it."""
_DEFAULT_UID: Final = 1337

_Command = Callable[..., Any]


class _Parsed(click.ParamType[Any]):
    """A flag whose text one of `options`' functions reads."""

    def __init__(self, name: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self._read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._read(value)
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


def _flag(
    *names: str, read: Callable[[str], Any], default: str, metavar: str, help: str, envvar: tuple[str, ...] = ()
) -> Callable[[_Command], _Command]:
    return click.option(
        *names,
        type=_Parsed(metavar.lower(), read),
        default=default,
        show_default=bool(default),
        metavar=metavar,
        help=help,
        envvar=(*_variable(names), *envvar),
        show_envvar=True,
    )


def _switch(
    *names: str, help: str, default: bool | None = False, envvar: tuple[str, ...] = (), hidden: bool = False
) -> Callable[[_Command], _Command]:
    """A flag that is off without a mention, on with one, and takes `=true` and `=false`."""
    return click.option(
        *names,
        type=click.BOOL,
        is_flag=False,
        flag_value="true",
        default=default,
        metavar="[BOOL]",
        help=help,
        envvar=(*_variable(names), *envvar),
        show_envvar=True,
        hidden=hidden,
    )


def _variable(names: tuple[str, ...]) -> tuple[str, ...]:
    found = next(name for name in names if name.startswith("--"))[2:].upper().replace("-", "_")
    return () if found == "ENVOY_PORT" else (found,)


def _port(*names: str, default: str, help: str) -> Callable[[_Command], _Command]:
    return _flag(*names, read=options.port, default=default, metavar="PORT", help=help)


@click.command(name="istio-iptables", short_help="Capture this network namespace's traffic.")
@_port("-p", "--envoy-port", default="15001", help="Where outbound connections go.")
@_port("-z", "--inbound-capture-port", default="15006", help="Where inbound connections go.")
@_port("-e", "--inbound-tunnel-port", default="15008", help="Where HBONE arrives; never redirected.")
@_flag("-u", "--proxy-uid", default="", read=options.user_ids, metavar="UIDS",
       help="Users whose traffic is the proxy's own. Default: that of --proxy-user, else 1337.")  # fmt: skip
@_flag("-g", "--proxy-gid", default="", read=options.group_ids, metavar="GIDS",
       help="Groups whose traffic is the proxy's own. Default: as --proxy-uid.")  # fmt: skip
@_flag("--proxy-user", default="istio-proxy", read=str, metavar="NAME", envvar=("ENVOY_USER",),
       help="The proxy's user, if --proxy-uid does not say.")  # fmt: skip
@click.option("-m", "--istio-inbound-interception-mode", "mode", default="REDIRECT", show_default=True,
              type=click.Choice(["REDIRECT", "TPROXY", ""]), envvar="ISTIO_INBOUND_INTERCEPTION_MODE",
              show_envvar=True, help="How inbound connections reach the proxy.")  # fmt: skip
@_flag("-b", "--istio-inbound-ports", default="", read=options.all_or_ports, metavar="PORTS",
       help="Inbound ports to capture; * for all. Default: none.")  # fmt: skip
@_flag("-d", "--istio-local-exclude-ports", default="", read=options.ports, metavar="PORTS",
       help="Inbound ports to leave alone, if all are captured.")  # fmt: skip
@_flag("-o", "--istio-local-outbound-ports-exclude", default="", read=options.ports, metavar="PORTS",
       help="Destination ports to leave alone.")  # fmt: skip
@_flag("-q", "--istio-outbound-ports", default="", read=options.ports, metavar="PORTS",
       help="Destination ports to capture whatever the address is.")  # fmt: skip
@_flag("-i", "--istio-service-cidr", default="", read=options.all_or_networks, metavar="CIDRS",
       help="Destinations to capture; * for all. Default: none.")  # fmt: skip
@_flag("-x", "--istio-service-exclude-cidr", default="", read=options.networks, metavar="CIDRS",
       help="Destinations to leave alone.")  # fmt: skip
@_flag("-k", "--kube-virt-interfaces", default="", read=options.interfaces, metavar="NAMES",
       help="Interfaces of virtual machines in the pod: what comes in by them counts as outbound.")  # fmt: skip
@_flag("-c", "--istio-exclude-interfaces", default="", read=options.interfaces, metavar="NAMES",
       help="Interfaces by which nothing is captured.")  # fmt: skip
@_flag("-t", "--istio-inbound-tproxy-mark", default="1337", read=options.mark, metavar="MARK",
       help="With TPROXY: the mark on captured packets.")  # fmt: skip
@_flag("-r", "--istio-inbound-tproxy-route-table", default="133", read=options.route_table, metavar="TABLE",
       help="With TPROXY: the routing table for marked packets.")  # fmt: skip
@_flag("--outbound-owner-groups", default="*", read=str, metavar="GROUPS", envvar=("ISTIO_OUTBOUND_OWNER_GROUPS",),
       help="Groups whose outbound traffic is captured; * for all.")  # fmt: skip
@_flag("--outbound-owner-groups-exclude", default="", read=str, metavar="GROUPS",
       envvar=("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",), help="Groups whose outbound traffic is left be.")  # fmt: skip
@_flag("--outbound-ipv4-loopback-cidr", default="127.0.0.1/32", read=options.loopback, metavar="CIDR",
       envvar=("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR",),
       help="Destinations by which an application means itself.")  # fmt: skip
@_switch("--redirect-dns", envvar=("ISTIO_META_DNS_CAPTURE",),
         help="Capture DNS queries to the servers of /etc/resolv.conf; they go to port 15053.")  # fmt: skip
@_switch("--capture-all-dns", help="With --redirect-dns: capture queries to any server.")
@_switch("--drop-invalid", envvar=("INVALID_DROP",), help="Drop packets of no known connection.")
@_switch("--dual-stack", envvar=("ISTIO_DUAL_STACK", "ISTIO_AGENT_DUAL_STACK"),
         help="Capture IPv6 even where no interface has an IPv6 address yet.")  # fmt: skip
@_switch("-n", "--dry-run", help="Print what would be done to an untouched namespace, and do nothing.")
@_switch("--skip-rule-apply", help="Leave the rules as they are.")
@_switch("--cleanup-only", help="Take back what an earlier run did.")
@_switch("--force-apply", hidden=True, help="Always so: rules are replaced, whatever is there.")
@_switch("--reconcile", hidden=True, help="Always so: rules are replaced, whatever is there.")
@_switch("--run-validation", help="Prove by a connection that traffic is captured. Before the proxy starts.")
@_port("--iptables-probe-port", default="15002", help="The port that validation connects to.")
@_flag("--probe-timeout", default="5s", read=parse_duration, metavar="DURATION", help="How long validation tries.")
@_flag("--network-namespace", default="", read=str, metavar="PATH", help="Work in that network namespace.")
@_switch("--cni-mode", help="Run from the node's file system: /etc/resolv.conf is not the pod's, so that "
         "--redirect-dns means all queries, and iptables' lock is the pod's own.")  # fmt: skip
@_switch("--host-nsenter-exec", hidden=True, help="Always so, in effect: every program runs in --network-namespace.")
@_switch("--native-nftables", default=None,
         help="Write rules with nft (true) or iptables (false). Default: nft if installed.")  # fmt: skip
@click.option("--force-iptables-binary", "variant", default="", type=click.Choice(["", "legacy", "nft"]),
              envvar="FORCE_IPTABLES_BINARY", show_envvar=True, help="Which iptables, of several.")  # fmt: skip
@_switch("--iptables-trace-logging", help="Report each decision to netlink log group 1337.")
@_flag("--log_output_level", default="default:info", read=output_level, metavar="LEVELS",
       help="How much to say: debug shows every command.")  # fmt: skip
@_switch("--log_as_json", help="Say it in JSON.")
def capture(**given: Any) -> None:
    """Redirect this network namespace's traffic to its proxy, by kernel rules. Needs root, or CAP_NET_ADMIN.

    A second run replaces what the first did; rules of others are not touched.

    \b
    Examples:
      istio-init -p 15001 -z 15006 -u 1337 -m REDIRECT -i '*' -b '*' -d 15090,15021,15020
      istio-init -i 10.0.0.0/8 -x 10.9.0.0/16 -b 80,8000-8999 --redirect-dns
      istio-init -i '*' -b '*' --dry-run
      istio-init --cleanup-only
    """
    log = Log(lambda line: click.echo(line, err=True), given["log_output_level"], given["log_as_json"])
    try:
        if given["network_namespace"]:
            enter(given["network_namespace"])
        wish = _capture(given, log)
        if not given["skip_rule_apply"]:
            _apply(wish, given, log)
    except (CaptureError, ValueError) as problem:
        log.error(str(problem))
        sys.exit(1)
    if given["run_validation"]:
        _validate(wish, given["iptables_probe_port"], given["probe_timeout"], log)


def _apply(wish: Capture, given: dict[str, Any], log: Log) -> None:
    programs: Programs
    if given["dry_run"]:
        programs = Printer(click.echo)
    else:
        environment = dict(os.environ)
        if given["cni_mode"]:
            # The default is a file of the node, and pods would wait for each other.
            environment["XTABLES_LOCKFILE"] = "/proc/self/ns/net"
        programs = Kernel(environment, log.debug)
    variant = f"-{given['variant']}" if given["variant"] else ""
    if given["cleanup_only"]:
        uninstall(wish, programs)
        log.info("traffic is no longer captured")
    else:
        tools = choose(programs, given["native_nftables"], variant)
        install(wish, tools, programs)
        families = "IPv4 and IPv6" if wish.ipv6 else "IPv4"
        verb = "would be" if given["dry_run"] else "is"
        log.info(f"traffic {verb} captured by {tools.renderer.value}, {wish.mode.value}, {families}")


def _validate(wish: Capture, port: int, timeout: Duration, log: Log) -> None:
    try:
        probe(wish, port, timeout.seconds)
    except (CaptureError, OSError) as problem:
        log.error(f"traffic is not captured: {problem}. Where a CNI plugin captures, was it there before this pod?")
        sys.exit(_NOT_CAPTURED)
    log.info("a connection was captured as it should be")


def _capture(given: dict[str, Any], log: Log) -> Capture:
    uids = given["proxy_uid"] or (options.proxy_user(given["proxy_user"], _DEFAULT_UID),)
    return Capture(
        proxy_port=given["envoy_port"],
        inbound_port=given["inbound_capture_port"],
        tunnel_port=given["inbound_tunnel_port"],
        proxy_uids=uids,
        proxy_gids=given["proxy_gid"] or uids,
        mode=Mode(given["mode"] or Mode.REDIRECT.value),
        tproxy_mark=given["istio_inbound_tproxy_mark"],
        tproxy_table=given["istio_inbound_tproxy_route_table"],
        inbound_ports=given["istio_inbound_ports"],
        inbound_ports_excluded=given["istio_local_exclude_ports"],
        outbound_networks=given["istio_service_cidr"],
        outbound_networks_excluded=given["istio_service_exclude_cidr"],
        outbound_ports=given["istio_outbound_ports"],
        outbound_ports_excluded=given["istio_local_outbound_ports_exclude"],
        owners=options.owners(given["outbound_owner_groups"], given["outbound_owner_groups_exclude"]),
        loopback=given["outbound_ipv4_loopback_cidr"],
        virtual_interfaces=given["kube_virt_interfaces"],
        excluded_interfaces=given["istio_exclude_interfaces"],
        dns=_dns(given, log),
        drop_invalid=given["drop_invalid"],
        ipv6=given["dual_stack"] or has_ipv6(interface_addresses()),
        trace=given["iptables_trace_logging"],
    )


def _dns(given: dict[str, Any], log: Log) -> Dns | None:
    if not given["redirect_dns"]:
        return None
    if given["capture_all_dns"] or given["cni_mode"]:
        return Dns()
    try:
        servers = name_servers(Path("/etc/resolv.conf").read_text())
    except OSError as problem:
        raise CaptureError(f"/etc/resolv.conf: {problem.strerror}") from problem
    if not servers:
        log.warn("/etc/resolv.conf names no server, so that no DNS query is captured; see --capture-all-dns")
        return None
    return Dns(servers)


def main(arguments: list[str]) -> None:
    """As `pilot-agent istio-iptables ARGUMENTS`."""
    capture.main(args=arguments, prog_name="pilot-agent istio-iptables")

from __future__ import annotations

from click.testing import CliRunner, Result

from lateen.capture.command import capture

ISTIO_INIT = ["-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-x", "", "-b", "*"]


def run(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(capture, ["--dry-run", "--native-nftables=true", *words], env=environment)


def test_what_the_injector_writes_is_understood() -> None:
    result = run(*ISTIO_INIT, "-d", "15090,15021,15020", "--log_output_level=default:info")
    assert result.exit_code == 0
    assert 'th dport { 15020-15021, 15090 } counter return comment "excluded inbound port"' in result.output
    assert "redirect to :15006" in result.output
    assert "redirect to :15001" in result.output


def test_variables_are_those_of_istio_and_flags_come_first() -> None:
    result = run(
        "-z",
        "16006",
        "-b",
        "80",
        ISTIO_SERVICE_CIDR="10.1.0.0/16",
        INBOUND_CAPTURE_PORT="17006",
        ISTIO_OUTBOUND_OWNER_GROUPS="4711",
        ISTIO_META_DNS_CAPTURE="true",
        CAPTURE_ALL_DNS="true",
        ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR="127.0.0.0/8",
    )
    assert result.exit_code == 0
    for expected in (
        "ip daddr 10.1.0.0/16 counter redirect to :15001",
        "redirect to :16006",
        "meta skgid != 4711 counter return",
        "redirect to :15053",
        "ip daddr 127.0.0.0/8 counter return",
    ):
        assert expected in result.output
    assert "17006" not in result.output


def test_what_kubernetes_says_of_a_service_named_envoy_is_not_a_port() -> None:
    result = run("-i", "*", ENVOY_PORT="tcp://10.0.0.9:80")
    assert result.exit_code == 0
    assert "redirect to :15001" in result.output


def test_nothing_is_captured_unless_asked_for() -> None:
    result = run()
    assert result.exit_code == 0
    assert "redirect to :15001" not in result.output
    assert "nat-inbound" not in result.output


def test_the_proxys_group_is_that_of_its_user_unless_given() -> None:
    assert "meta skgid 2000 counter return" in run("-u", "2000", "-i", "*").output
    assert "meta skgid 7 counter return" in run("-u", "2000", "-g", "7", "-i", "*").output


def test_switches_take_values() -> None:
    assert "invalid" in run("--drop-invalid").output
    assert "invalid" in run("--drop-invalid=true").output
    assert "ct state invalid" not in run("--drop-invalid=false", DROP_INVALID="true").output


def test_tproxy_by_iptables() -> None:
    result = run("-m", "TPROXY", "-b", "*", "-t", "0x10", "-r", "99", "--native-nftables=false", "--dual-stack")
    assert result.exit_code == 0
    assert "ip -6 rule add fwmark 16 lookup 99" in result.output
    assert "! -d ::1/128 -j TPROXY --on-port 15006 --tproxy-mark 16/0xffffffff" in result.output


def test_tracing_reports_decisions() -> None:
    assert (
        'log prefix "lateen: outbound connection " group 1337 redirect'
        in run("-i", "*", "--iptables-trace-logging").output
    )


def test_dns_from_the_nodes_file_system_is_all_dns() -> None:
    assert "udp th dport 53 counter redirect to :15053" in run("--redirect-dns", "--cni-mode").output


def test_a_wrong_word_is_named() -> None:
    result = run("-b", "80,http")
    assert result.exit_code == 2
    assert "'-b'" in result.output
    assert "'http' is no port" in result.output


def test_including_and_excluding_owners_is_refused() -> None:
    result = run(ISTIO_OUTBOUND_OWNER_GROUPS="1", ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE="2")
    assert result.exit_code == 1
    assert "not both" in result.output


def test_cleaning_up_is_printed_too() -> None:
    result = run("--cleanup-only")
    assert result.exit_code == 0
    assert "delete table inet lateen-capture" in result.output


def test_rules_may_be_left_as_they_are() -> None:
    assert run("-i", "*", "--skip-rule-apply").output == ""

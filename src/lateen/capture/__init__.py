"""Capture: which connections of a pod or machine go to its proxy, and the kernel rules that make it so.

`capture.py` says what is wanted, `plan.py` turns that into one rule model (`rules.py`), `nftables.py` and `iptables.py`
write the model down, `apply.py` gives it to the kernel and takes it back, `probe.py` proves it by a connection, and
`command.py` is the command line (`istio-init`, `pilot-agent istio-iptables`). See docs/capture.md.
"""

"""Patches of listeners, their listener filters, filter chains, network filters and HTTP filters."""

from __future__ import annotations

from typing import Any

from envoy.config.listener.v3 import listener_components_pb2, listener_pb2

from lateen.api.networking.envoy_filter import ApplyTo, Operation
from lateen.translate.patches.filters import patch_filters
from lateen.translate.patches.matching import filter_chain_matches, listener_filter_named, listener_matches
from lateen.translate.patches.merge import merge_any_by, merge_by
from lateen.translate.patches.misfits import Misfits
from lateen.translate.patches.patch import Patch, applying_to
from lateen.translate.patches.sequence import called, place

LISTENER_KINDS = (
    ApplyTo.LISTENER,
    ApplyTo.LISTENER_FILTER,
    ApplyTo.FILTER_CHAIN,
    ApplyTo.NETWORK_FILTER,
    ApplyTo.HTTP_FILTER,
)


def patch_listener(listener: Any, patches: list[Patch], misfits: Misfits) -> bool:
    """Applies patches to a listener and what is in it; false if one of them removes it.

    Patches of routes apply to route configurations that are written into a connection manager.
    """
    for patch in applying_to(patches, ApplyTo.LISTENER):
        if not listener_matches(patch, listener):
            continue
        if patch.outline.operation is Operation.REMOVE:
            return False
        if patch.outline.operation.is_merge:
            with misfits.of(patch):
                merge_by(patch.outline.operation, listener, listener_pb2.Listener.FromString(patch.value))
    chosen = [
        each for each in patches if each.outline.apply_to not in LISTENER_KINDS or listener_matches(each, listener)
    ]
    _patch_listener_filters(listener, applying_to(chosen, ApplyTo.LISTENER_FILTER), misfits)
    _patch_filter_chains(listener, chosen, misfits)
    return True


# --- listener filters ---------------------------------------------------------------------------------------------


def _patch_listener_filters(listener: Any, patches: list[Patch], misfits: Misfits) -> None:
    for patch in patches:
        name = listener_filter_named(patch)
        value = listener_components_pb2.ListenerFilter.FromString(patch.value)
        with misfits.of(patch):
            if patch.outline.operation.is_merge:
                for each in listener.listener_filters:
                    if name in (None, each.name):
                        _merge_filter(each, value, patch.outline.operation)
            else:
                place(
                    listener.listener_filters,
                    value,
                    patch.outline.operation,
                    called(name),
                )


def _merge_filter(target: Any, value: Any, operation: Operation) -> None:
    if value.HasField("typed_config") and target.HasField("typed_config"):
        merge_any_by(operation, target.typed_config, value.typed_config)
        value.ClearField("typed_config")
    merge_by(operation, target, value)


# --- filter chains ------------------------------------------------------------------------------------------------


def _patch_filter_chains(listener: Any, patches: list[Patch], misfits: Misfits) -> None:
    kept = [_patch_filter_chain(listener, each, patches, misfits) for each in listener.filter_chains]
    for index in reversed([index for index, keep in enumerate(kept) if not keep]):
        del listener.filter_chains[index]
    default = listener.default_filter_chain if listener.HasField("default_filter_chain") else None
    if default is not None and not _patch_filter_chain(listener, default, patches, misfits):
        listener.ClearField("default_filter_chain")
    for patch in applying_to(patches, ApplyTo.FILTER_CHAIN):
        if patch.outline.operation is Operation.ADD:
            listener.filter_chains.append(listener_components_pb2.FilterChain.FromString(patch.value))


def _patch_filter_chain(listener: Any, chain: Any, patches: list[Patch], misfits: Misfits) -> bool:
    """False if patches remove it, or all of its filters."""
    if not chain.filters:
        return True
    chosen = [
        each
        for each in patches
        if each.outline.apply_to not in LISTENER_KINDS or filter_chain_matches(each, listener, chain)
    ]
    for patch in applying_to(chosen, ApplyTo.FILTER_CHAIN):
        if patch.outline.operation is Operation.REMOVE:
            return False
        if patch.outline.operation.is_merge:
            with misfits.of(patch):
                _merge_filter_chain(chain, patch)
    patch_filters(chain, chosen, misfits)
    return bool(chain.filters)


def _merge_filter_chain(chain: Any, patch: Patch) -> None:
    value = listener_components_pb2.FilterChain.FromString(patch.value)
    own, new = chain.transport_socket, value.transport_socket
    if value.HasField("transport_socket") and chain.HasField("transport_socket") and own.name == new.name:
        if own.HasField("typed_config") and new.HasField("typed_config"):
            merge_any_by(patch.outline.operation, own.typed_config, new.typed_config)
        value.ClearField("transport_socket")
    merge_by(patch.outline.operation, chain, value)

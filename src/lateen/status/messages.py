"""Names of Istio's analysis messages (`istio.analysis.v1alpha1`): what tools that read them know codes by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

INTERNAL_ERROR: Final = "IST0001"
SCHEMA_ERROR: Final = "IST0106"
SCHEMA_WARNING: Final = "IST0133"

MESSAGE_NAMES: Final[Mapping[str, str]] = {
    "IST0001": "InternalError",
    "IST0002": "Deprecated",
    "IST0101": "ReferencedResourceNotFound",
    "IST0106": "SchemaValidationError",
    "IST0107": "MisplacedAnnotation",
    "IST0108": "UnknownAnnotation",
    "IST0109": "ConflictingMeshGatewayVirtualServiceHosts",
    "IST0110": "ConflictingSidecarWorkloadSelectors",
    "IST0111": "MultipleSidecarsWithoutWorkloadSelectors",
    "IST0112": "VirtualServiceDestinationPortSelectorRequired",
    "IST0113": "MTLSPolicyConflict",
    "IST0116": "DeploymentAssociatedToMultipleServices",
    "IST0118": "PortNameIsNotUnderNamingConvention",
    "IST0122": "InvalidRegexp",
    "IST0125": "InvalidAnnotation",
    "IST0126": "UnknownMeshNetworksServiceRegistry",
    "IST0127": "NoMatchingWorkloadsFound",
    "IST0128": "NoServerCertificateVerificationDestinationLevel",
    "IST0129": "NoServerCertificateVerificationPortLevel",
    "IST0130": "VirtualServiceUnreachableRule",
    "IST0131": "VirtualServiceIneffectiveMatch",
    "IST0132": "VirtualServiceHostNotFoundInGateway",
    "IST0133": "SchemaWarning",
    "IST0134": "ServiceEntryAddressesRequired",
    "IST0138": "GatewayDuplicateCertificate",
    "IST0145": "ConflictingGateways",
    "IST0150": "ExternalNameServiceTypeInvalidPortName",
    "IST0151": "EnvoyFilterUsesRelativeOperation",
    "IST0152": "EnvoyFilterUsesReplaceOperationIncorrectly",
    "IST0153": "EnvoyFilterUsesAddOperationIncorrectly",
    "IST0154": "EnvoyFilterUsesRemoveOperationIncorrectly",
    "IST0155": "EnvoyFilterUsesRelativeOperationWithProxyVersion",
    "IST0157": "InvalidTelemetryProvider",
    "IST0159": "ConflictingTelemetryWorkloadSelectors",
    "IST0160": "MultipleTelemetriesWithoutWorkloadSelectors",
    "IST0161": "InvalidGatewayCredential",
    "IST0162": "GatewayPortNotDefinedOnService",
}

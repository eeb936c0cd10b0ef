#!/bin/sh
# Removes Bookinfo and its traffic rules from a namespace: NAMESPACE, or the one that you name when asked.
set -eu
cd "$(dirname "$0")"

if [ -z "${NAMESPACE:-}" ]; then
  printf 'namespace? [default] '
  read -r NAMESPACE || NAMESPACE=
  NAMESPACE=${NAMESPACE:-default}
fi

echo "removing Bookinfo from namespace $NAMESPACE"
for rule in productpage reviews ratings details bookinfo; do
  kubectl delete virtualservices.networking.istio.io "$rule" -n "$NAMESPACE" --ignore-not-found
done
for rule in productpage reviews ratings details; do
  kubectl delete destinationrules.networking.istio.io "$rule" -n "$NAMESPACE" --ignore-not-found
done
kubectl delete gateways.networking.istio.io bookinfo-gateway -n "$NAMESPACE" --ignore-not-found
kubectl delete -f bookinfo.yaml -n "$NAMESPACE" --ignore-not-found

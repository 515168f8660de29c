#!/bin/sh
# Compares what was deployed last with what is there, and says whether it is the same. `cloudbuild.drift.yaml` runs it in the
# folder of an environment, at the commit that was deployed last. A deployment that runs meanwhile is not held up.
set -u
fail() {
  echo "drift unknown"
  exit 1
}
terraform init -input=false || fail
terraform output -json deployed > images.auto.tfvars.json || fail
# The key is written and never read: any is the same to a plan.
terraform plan -detailed-exitcode -input=false -lock=false -var pagerduty_service_key=none
case $? in
  0) echo "nothing drifted" ;;
  2)
    echo "drift found"
    exit 2
    ;;
  *) fail ;;
esac

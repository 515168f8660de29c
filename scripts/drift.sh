#!/bin/sh
# Compares what was deployed last with what is there, and says which. `cloudbuild.drift.yaml` runs it in the folder of an
# environment. What `main` has and was not deployed yet is no drift; a deployment that runs meanwhile is not held up.
set -u
fail() {
  echo "drift unknown"
  exit 1
}
terraform init -input=false || fail
images=$(terraform output -json images) || fail
echo "{\"images\":$images}" > images.auto.tfvars.json
terraform plan -refresh-only -detailed-exitcode -input=false -lock=false
case $? in
  0) echo "nothing drifted" ;;
  2)
    echo "drift found"
    exit 2
    ;;
  *) fail ;;
esac

locals {
  starter_roles = {
    "roles/cloudbuild.builds.editor" = "begins deployments and the look for drift"
    "roles/logging.logWriter"        = "writes the log of its build"
  }

  # What a deployment changes. It may give out roles in the project, so that whoever deploys is trusted with it.
  deploy_roles = {
    "roles/artifactregistry.admin"              = "registry"
    "roles/binaryauthorization.attestorsViewer" = "whose images run"
    "roles/binaryauthorization.policyEditor"    = "which images run"
    "roles/cloudbuild.builds.editor"            = "triggers"
    "roles/cloudbuild.connectionAdmin"          = "the repository"
    "roles/cloudkms.admin"                      = "keys, which it cannot use"
    "roles/cloudscheduler.admin"                = "schedules"
    "roles/cloudtasks.admin"                    = "queues"
    "roles/compute.loadBalancerAdmin"           = "load balancer"
    "roles/compute.networkAdmin"                = "network"
    "roles/compute.securityAdmin"               = "Cloud Armor, certificates"
    "roles/datastore.owner"                     = "database, backups, indexes"
    "roles/eventarc.admin"                      = "triggers"
    "roles/firebase.admin"                      = "Firebase, rules, sign-in"
    "roles/iam.roleAdmin"                       = "roles of the functions"
    "roles/iam.serviceAccountAdmin"             = "identities"
    "roles/iam.serviceAccountUser"              = "functions run as their identities"
    "roles/logging.admin"                       = "metrics of logs, and the log of the build"
    "roles/monitoring.admin"                    = "alerts"
    "roles/pubsub.admin"                        = "topics, subscriptions"
    "roles/redis.admin"                         = "Redis"
    "roles/resourcemanager.projectIamAdmin"     = "roles of the identities"
    "roles/run.admin"                           = "services, jobs, traffic"
    "roles/secretmanager.admin"                 = "secrets; it reads those that it needs itself"
    "roles/serviceusage.serviceUsageAdmin"      = "APIs"
    "roles/storage.admin"                       = "buckets"
  }

  # Enough to see that nothing has changed there.
  backup_roles = toset([
    "roles/cloudkms.viewer",
    "roles/iam.securityReviewer",
    "roles/serviceusage.serviceUsageViewer",
    "roles/storage.bucketViewer",
  ])
}

resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "builder"
  display_name = "Checks, tests and builds images"
}

resource "google_project_iam_member" "build" {
  project = var.project_id
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

resource "google_artifact_registry_repository_iam_member" "build" {
  project    = var.project_id
  location   = var.location
  repository = google_artifact_registry_repository.images.name
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

# No code of the repository runs as this account.
resource "google_service_account" "starter" {
  project      = var.project_id
  account_id   = "deploy-starter"
  display_name = "Begins deployments of what was built"
}

resource "google_project_iam_member" "starter" {
  #checkov:skip=CKV_GCP_49:It begins a deployment, as the one account that it may act as.
  for_each = local.starter_roles
  project  = var.project_id
  role     = each.key
  member   = google_service_account.starter.member
}

# The deployment that it begins runs as `deploy`.
resource "google_service_account_iam_member" "starter" {
  service_account_id = google_service_account.deploy.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.starter.member
}

resource "google_service_account" "deploy" {
  project      = var.project_id
  account_id   = "deploy"
  display_name = "Applies Terraform and moves traffic"
}

resource "google_project_iam_member" "deploy" {
  #checkov:skip=CKV_GCP_41:A deployment gives functions their identities.
  #checkov:skip=CKV_GCP_49:A deployment makes the identities.
  for_each = local.deploy_roles
  project  = var.project_id
  role     = each.key
  member   = google_service_account.deploy.member
}

resource "google_project_iam_member" "deploy_backups" {
  for_each = local.backup_roles
  project  = var.backup_project_id
  role     = each.key
  member   = google_service_account.deploy.member
}

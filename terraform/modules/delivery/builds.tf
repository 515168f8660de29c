locals {
  substitutions = merge(var.substitutions, {
    _BUILDS_BUCKET = google_storage_bucket.builds.name
    _LOCATION      = var.location
    _STATE_BUCKET  = var.state_bucket
  })
}

resource "google_cloudbuildv2_repository" "this" {
  project           = var.project_id
  location          = var.location
  name              = "infinity-x"
  parent_connection = var.repository.connection
  remote_uri        = var.repository.url
}

# `cloudbuild.yaml`: checks, tests and images of what is pushed.
resource "google_cloudbuild_trigger" "release" {
  project         = var.project_id
  location        = var.location
  name            = "release"
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.build.id
  substitutions   = local.substitutions

  repository_event_config {
    repository = google_cloudbuildv2_repository.this.id
    push {
      branch = var.release.branch
      tag    = var.release.tag
    }
  }
}

# What the release says of itself, when it has ended too.
resource "google_pubsub_topic" "releases" {
  #checkov:skip=CKV_GCP_83:What a build is called is no secret.
  project = var.project_id
  name    = "releases"
}

# Begins the deployment of a release that has succeeded, images pushed and signed. It has no source: what the release
# runs, tests and their dependencies, cannot begin anything.
resource "google_cloudbuild_trigger" "start" {
  project         = var.project_id
  location        = var.location
  name            = "start-deployment"
  service_account = google_service_account.starter.id
  filter          = "_STATUS == \"SUCCESS\" && _TRIGGER == \"release\""

  substitutions = {
    _BUILD   = "$(body.message.data.id)"
    _COMMIT  = "$(body.message.data.substitutions.COMMIT_SHA)"
    _STATUS  = "$(body.message.data.status)"
    _TRIGGER = "$(body.message.data.substitutions.TRIGGER_NAME)"
  }

  pubsub_config {
    topic = google_pubsub_topic.releases.id
  }

  build {
    step {
      name       = "gcr.io/google.com/cloudsdktool/google-cloud-cli:528.0.0-slim"
      entrypoint = "gcloud"
      args = [
        "builds", "triggers", "run", google_cloudbuild_trigger.deploy.name,
        "--project=${var.project_id}", "--region=${var.location}",
        "--sha=$_COMMIT", "--substitutions=_BUILD=$_BUILD",
      ]
    }
    options {
      logging = "CLOUD_LOGGING_ONLY"
    }
  }
}

# `cloudbuild.deploy.yaml`: begun for the commit of a release. Without a `revision` the file is that commit's too, not the
# head of a branch.
resource "google_cloudbuild_trigger" "deploy" {
  project         = var.project_id
  location        = var.location
  name            = "deploy"
  service_account = google_service_account.deploy.id
  substitutions   = local.substitutions

  source_to_build {
    repository = google_cloudbuildv2_repository.this.id
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  git_file_source {
    path       = "cloudbuild.deploy.yaml"
    repository = google_cloudbuildv2_repository.this.id
    repo_type  = "GITHUB"
  }

  approval_config {
    approval_required = var.is_approved_by_hand
  }
}

# `cloudbuild.drift.yaml`: begun for the commit that was deployed last, whose file and code `deploy` has run already.
resource "google_cloudbuild_trigger" "drift" {
  project         = var.project_id
  location        = var.location
  name            = "drift"
  service_account = google_service_account.deploy.id
  substitutions   = local.substitutions

  source_to_build {
    repository = google_cloudbuildv2_repository.this.id
    ref        = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  git_file_source {
    path       = "cloudbuild.drift.yaml"
    repository = google_cloudbuildv2_repository.this.id
    repo_type  = "GITHUB"
  }
}

resource "google_cloud_scheduler_job" "drift" {
  count     = var.commit == null ? 0 : 1
  project   = var.project_id
  region    = var.location
  name      = "drift"
  schedule  = "0 4 * * *"
  time_zone = "Etc/UTC"

  http_target {
    http_method = "POST"
    uri         = "https://cloudbuild.googleapis.com/v1/projects/${var.project_id}/locations/${var.location}/triggers/${google_cloudbuild_trigger.drift.trigger_id}:run"
    body        = base64encode(jsonencode({ source = { commitSha = var.commit } }))
    headers     = { Content-Type = "application/json" }
    oauth_token {
      service_account_email = google_service_account.starter.email
      scope                 = "https://www.googleapis.com/auth/cloud-platform"
    }
  }

  retry_config {
    retry_count = 3
  }
}

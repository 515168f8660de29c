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

# `cloudbuild.deploy.yaml`: begun by the release for its commit.
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
    revision   = "refs/heads/main"
    repo_type  = "GITHUB"
  }

  approval_config {
    approval_required = var.is_approved_by_hand
  }
}

# Real customers: a person approves each release, a tag, and retention is locked for good.

provider "google" {
  project               = var.project.id
  region                = var.location
  billing_project       = var.project.id
  user_project_override = true
}

provider "google-beta" {
  project               = var.project.id
  region                = var.location
  billing_project       = var.project.id
  user_project_override = true
}

module "platform" {
  source                 = "../../modules/platform"
  agent_image            = var.agent_image
  alert_emails           = var.alert_emails
  app_url                = var.app_url
  authorized_domains     = [trimprefix(var.app_url, "https://")]
  budget                 = var.budget
  commit                 = var.commit
  cors_origins           = [var.app_url]
  domain                 = var.domain
  email_from             = var.email_from
  google_oauth_client_id = var.google_oauth_client_id
  images                 = var.images
  is_approved_by_hand    = true
  is_locked              = true
  llm                    = var.llm
  location               = var.location

  # A first request waits for no start.
  min_instances         = { api = 1, execute-workflow = 1 }
  pagerduty_service_key = var.pagerduty_service_key
  project               = var.project
  release               = { tag = "^v[0-9]+\\.[0-9]+\\.[0-9]+$" }
  repository            = var.repository
  root                  = "${path.root}/../../.."
  runbooks_url          = var.runbooks_url
  secret_versions       = var.secret_versions
  state_bucket          = var.state_bucket

  backup = {
    location       = var.location
    project_id     = var.backup_project.id
    project_number = var.backup_project.number
  }

  drill = var.drill_project == null ? null : {
    project_id     = var.drill_project.id
    project_number = var.drill_project.number
  }

  stripe = {
    is_live              = true
    portal_configuration = var.stripe_portal_configuration
  }
}

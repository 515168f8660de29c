# All agents with a service of their own run as this account, which has no role.
resource "google_service_account" "agents" {
  count        = var.agent_image == null ? 0 : 1
  project      = var.project.id
  account_id   = "agents"
  display_name = "Runs the containers of agents"
}

resource "google_service_account_iam_member" "agents" {
  count              = var.agent_image == null ? 0 : 1
  service_account_id = google_service_account.agents[0].name
  role               = "roles/iam.serviceAccountUser"
  member             = module.deploy_agent.member
}

# What the function calls. It may do so to every service of the project: Cloud Run is not among the services whose names
# a condition of IAM can ask for (https://cloud.google.com/iam/docs/conditions-resource-attributes).
resource "google_project_iam_custom_role" "agent_deployer" {
  count       = var.agent_image == null ? 0 : 1
  project     = var.project.id
  role_id     = "agentDeployer"
  title       = "Makes, changes and deletes services of Cloud Run"
  permissions = ["run.services.create", "run.services.delete", "run.services.get", "run.services.update"]
}

# Who makes a service must be able to read its image, which is in this repository.
resource "google_artifact_registry_repository_iam_member" "agent_deployer" {
  count      = var.agent_image == null ? 0 : 1
  project    = var.project.id
  location   = var.location
  repository = module.delivery.repository
  role       = "roles/artifactregistry.reader"
  member     = module.deploy_agent.member
}

module "deploy_agent" {
  source              = "../function"
  name                = "deploy-agent"
  image               = var.images["deploy-agent"]
  project             = var.project
  location            = var.location
  database            = module.data.database
  network             = module.network.egress
  deletion_protection = var.deletion_protection
  ingress             = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  is_public           = true
  min_instances       = lookup(var.min_instances, "deploy-agent", 0)
  url                 = local.urls["deploy-agent"]

  # The callable makes it public, so that it checks the callers of its other routes itself.
  environment = merge(local.service_environment, local.audit_environment, local.limits_environment, {
    AGENT_IMAGE             = var.agent_image
    AGENT_MAX_INSTANCES     = var.agent_max_instances
    AGENT_REGION            = var.agent_image == null ? null : var.location
    AGENT_SERVICE_ACCOUNT   = one(google_service_account.agents[*].email)
    CORS_ORIGINS            = join(",", var.cors_origins)
    EVENTS_AUDIENCE         = local.urls["deploy-agent"]
    EVENTS_SERVICE_ACCOUNTS = local.callers["deploy-agent"]
    EVENTS_SIGNATURE_CHECK  = "function"
    RATE_LIMIT_CLIENT       = var.rate_limits.client
    RATE_LIMIT_EVENTS       = var.rate_limits.events
    RATE_LIMIT_USER         = var.rate_limits.user
  })

  secrets = local.redis_secrets

  roles = { for role in google_project_iam_custom_role.agent_deployer[*] : "makes the agents' services" => role.id }

  events = {
    agent-written = {
      content_type = "application/protobuf"
      filters      = { database = "(default)" }
      location     = var.location
      path         = "/events"
      patterns     = { document = "agents/{id}" }
      type         = "google.cloud.firestore.document.v1.written"
    }
  }

  schedules = {
    sweep = { cron = "* * * * *", path = "/sweep" }
  }
}

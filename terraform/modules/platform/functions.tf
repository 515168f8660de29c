locals {
  # All services of a project and region share the end of their URL. That of `api`, which nothing calls by a token, tells
  # the others theirs: a service cannot name its own. Eventarc's tokens are made for this URL and no other.
  url_suffix = trimprefix(module.api.uri, "https://api-")

  # Accounts that deliver to functions; `modules/function` makes them.
  callers = {
    for function in setsubtract(local.functions, ["api"]) :
    function => "${function}-caller@${var.project.id}.iam.gserviceaccount.com"
  }

  # By name and not by what was made: who holds their traffic after an apply that has stopped needs them all.
  functions = ["api", "deploy-agent", "execute-workflow", "handle-stripe-webhook", "on-user-create", "sync-google-workspace"]

  urls = { for function in keys(local.callers) : function => "https://${function}-${local.url_suffix}" }

  queues = {
    executions    = "projects/${var.project.id}/locations/${var.location}/queues/executions"
    stripe_events = "projects/${var.project.id}/locations/${var.location}/queues/stripe-events"
  }

  environment = {
    FIRESTORE_DATABASE   = "(default)"
    GOOGLE_CLOUD_PROJECT = var.project.id
  }

  service_environment = merge(local.environment, {
    LOG_FILTER                  = var.log_filter
    OTEL_EXPORTER_OTLP_ENDPOINT = var.traces.endpoint
    OTEL_TRACES_SAMPLER_ARG     = var.traces.ratio
  })

  # What the Internet reaches. The client's address stands before the load balancer's in `X-Forwarded-For`.
  limits_environment = {
    RATE_LIMIT_HEALTH      = var.rate_limits.health
    RATE_LIMIT_WINDOW_SECS = var.rate_limits.window_seconds
    REDIS_CA               = module.network.redis_ca
    TRUSTED_PROXY_HOPS     = 2
  }

  audit_environment = {
    KMS_MAC_KEY = module.keys.mac_key
  }

  # The hub: who holds this may open credentials, and `modules/keys` lets nobody else.
  vault_environment = {
    GOOGLE_OAUTH_CLIENT_ID    = var.google_oauth_client_id
    GOOGLE_OAUTH_REDIRECT_URL = var.google_oauth_client_id == null ? null : "https://${var.domain}/api/v1/integrations/google/callback"
    KMS_CREDENTIALS_KEY       = module.keys.credentials_key
  }

  vault_secrets = {
    for variable, secret in { GOOGLE_OAUTH_CLIENT_SECRET = "google-oauth-client-secret" } :
    variable => module.secrets.references[secret] if var.google_oauth_client_id != null
  }

  model_environment = {
    COMPATIBLE_BASE_URL = var.llm.compatible_base_url
    LLM_DISABLED        = tostring(var.llm.is_disabled)
    REDIS_CA            = module.network.redis_ca
    VERTEX_LOCATION     = var.llm.has_vertex ? var.llm.vertex_location : null
    VERTEX_PROJECT      = var.llm.has_vertex ? var.project.id : null
  }

  model_secrets = merge(local.redis_secrets, {
    for variable, provider in {
      ANTHROPIC_API_KEY  = "anthropic"
      COMPATIBLE_API_KEY = "compatible"
      GEMINI_API_KEY     = "gemini"
      OPENAI_API_KEY     = "openai"
    } : variable => module.secrets.references["${provider}-api-key"] if contains(var.llm.providers, provider)
  })

  model_roles = { for purpose, role in { "Vertex AI" = "roles/aiplatform.user" } : purpose => role if var.llm.has_vertex }

  mail_environment = {
    APP_URL           = var.app_url
    EMAIL_FROM        = var.email_from
    SENDGRID_BASE_URL = var.sendgrid_base_url
  }

  mail_secrets = {
    SENDGRID_API_KEY = module.secrets.references["sendgrid-api-key"]
  }

  redis_secrets = {
    REDIS_URL = {
      secret  = google_secret_manager_secret_version.redis_url.secret
      version = google_secret_manager_secret_version.redis_url.version
    }
  }
}

module "keys" {
  source     = "../keys"
  location   = var.location
  project_id = var.project.id

  decrypters = {
    api                   = module.api.member
    execute-workflow      = module.execute_workflow.member
    rewrap                = module.rewrap.member
    sync-google-workspace = module.sync_google_workspace.member
  }

  openers = { for name, drill in module.drill : name => drill.member }

  signers = merge(
    {
      api                   = module.api.member
      audit-anchor          = module.audit_anchor.member
      audit-verify          = module.audit_verify.member
      deploy-agent          = module.deploy_agent.member
      execute-workflow      = module.execute_workflow.member
      handle-stripe-webhook = module.handle_stripe_webhook.member
      on-user-create        = module.on_user_create.member
      sync-google-workspace = module.sync_google_workspace.member
    },
    { for name, drill in module.drill : name => drill.member },
  )

  viewers = {
    rewrap = module.rewrap.member
  }

  depends_on = [google_project_service.this]
}

module "secrets" {
  source     = "../secrets"
  location   = var.location
  project_id = var.project.id
  versions   = var.secret_versions

  names = setunion(
    [
      "pagerduty-service-key",
      "redis-url",
      "sendgrid-api-key",
      "stripe-api-key",
      "stripe-billing-api-key",
      "stripe-verify-api-key",
      "stripe-webhook-secrets",
    ],
    [for provider in var.llm.providers : "${provider}-api-key"],
    var.google_oauth_client_id == null ? [] : ["google-oauth-client-secret"],
  )

  depends_on = [google_project_service.this]
}

module "data" {
  source                = "../data"
  backup                = var.backup
  import_project_number = try(var.drill.project_number, null)
  indexes_file          = "${var.root}/firestore.indexes.json"
  is_locked             = var.is_locked
  location              = var.location
  project               = var.project
  rules_file            = "${var.root}/firestore.rules"

  # An output of the whole map `module.drill` would depend on its image, which there is none of when an owner applies this.
  export_finders = merge(
    { backup-age = module.backup_age.member },
    var.drill == null ? {} : { drill = module.drill["drill"].member },
  )

  depends_on = [google_project_service_identity.this]
}

module "network" {
  source     = "../network"
  domain     = var.domain
  location   = var.location
  project_id = var.project.id

  functions = {
    "/*"               = { name = module.api.name }
    "/deployAgent"     = { name = module.deploy_agent.name }
    "/webhooks/stripe" = { name = module.handle_stripe_webhook.name, rewrite = "/" }
  }

  depends_on = [google_project_service.this]
}

module "delivery" {
  source              = "../delivery"
  backup_project_id   = var.backup.project_id
  commit              = var.commit
  is_approved_by_hand = var.is_approved_by_hand
  is_built            = length(var.images) > 0
  location            = var.location
  project_id          = var.project.id
  release             = var.release
  repository          = var.repository
  state_bucket        = var.state_bucket

  substitutions = {
    _DOMAIN      = var.domain
    _ENVIRONMENT = basename(abspath(path.root))
  }

  depends_on = [google_project_service.this]
}

module "observability" {
  source                = "../observability"
  alert_emails          = var.alert_emails
  budget                = var.budget
  domain                = var.domain
  has_drill             = var.drill != null
  pagerduty_service_key = var.pagerduty_service_key
  project               = var.project
  public_functions      = ["api", "deploy-agent", "handle-stripe-webhook"]
  runbooks_url          = var.runbooks_url

  depends_on = [google_project_service.this]
}

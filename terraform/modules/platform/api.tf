module "api" {
  source              = "../function"
  name                = "api"
  image               = var.images["api"]
  project             = var.project
  location            = var.location
  database            = module.data.database
  network             = module.network.egress
  deletion_protection = var.deletion_protection
  ingress             = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  is_public           = true
  max_instances       = 100
  memory              = "2Gi"
  min_instances       = lookup(var.min_instances, "api", 0)
  timeout_seconds     = 660

  environment = merge(
    local.service_environment,
    local.audit_environment,
    local.limits_environment,
    local.model_environment,
    local.vault_environment,
    {
      APP_URL                     = var.app_url
      ARTIFACTS_BUCKET            = module.data.artifacts_bucket
      BILLING_RETURN_ORIGINS      = join(",", var.stripe.return_origins)
      CORS_ORIGINS                = join(",", var.cors_origins)
      GOOGLE_SPEECH               = tostring(var.llm.has_google_speech)
      LLM_DEFAULT_MODEL           = var.llm.default_model
      RATE_LIMIT_CLIENT           = var.rate_limits.client
      RATE_LIMIT_HOOKS            = var.rate_limits.hooks
      RATE_LIMIT_OAUTH_CALLBACK   = var.rate_limits.oauth_callback
      RATE_LIMIT_USER             = var.rate_limits.user
      STRIPE_PORTAL_CONFIGURATION = var.stripe.portal_configuration
      SYNC_TOPIC                  = google_pubsub_topic.sync.id
    },
  )

  secrets = merge(local.model_secrets, local.vault_secrets, {
    STRIPE_API_KEY = module.secrets.references["stripe-billing-api-key"]
  })

  roles = merge(local.model_roles, {
    "ends sessions and accounts" = google_project_iam_custom_role.account_editor.id
  })
}

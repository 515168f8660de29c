module "handle_stripe_webhook" {
  source              = "../function"
  name                = "handle-stripe-webhook"
  image               = var.images["handle-stripe-webhook"]
  project             = var.project
  location            = var.location
  database            = module.data.database
  network             = module.network.egress
  deletion_protection = var.deletion_protection
  ingress             = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  is_public           = true
  min_instances       = lookup(var.min_instances, "handle-stripe-webhook", 0)
  timeout_seconds     = 310
  url                 = local.urls["handle-stripe-webhook"]

  # Stripe makes it public, so that it checks the callers of its other routes itself.
  environment = merge(local.service_environment, local.audit_environment, local.limits_environment, {
    EVENTS_AUDIENCE               = local.urls["handle-stripe-webhook"]
    EVENTS_SERVICE_ACCOUNTS       = local.callers["handle-stripe-webhook"]
    EVENTS_SIGNATURE_CHECK        = "function"
    RATE_LIMIT_EVENTS             = var.rate_limits.events
    RATE_LIMIT_HOOKS              = var.rate_limits.hooks
    STRIPE_EVENTS_QUEUE           = local.queues.stripe_events
    STRIPE_EVENTS_SERVICE_ACCOUNT = local.callers["handle-stripe-webhook"]
    STRIPE_EVENTS_TARGET_URL      = local.urls["handle-stripe-webhook"]
    STRIPE_LIVEMODE               = tostring(var.stripe.is_live)
    STRIPE_PRODUCT_TIERS          = var.stripe.product_tiers
  })

  secrets = merge(local.redis_secrets, {
    STRIPE_API_KEY         = module.secrets.references["stripe-api-key"]
    STRIPE_WEBHOOK_SECRETS = module.secrets.references["stripe-webhook-secrets"]
  })

  queues = {
    stripe-events = { max_attempts = -1, max_concurrent = 20, max_per_second = 20, min_backoff_seconds = 5 }
  }

  schedules = {
    meter           = { cron = "* * * * *", path = "/meter" }
    reconcile       = { cron = "30 3 * * *", path = "/reconcile", attempt_deadline_seconds = 300, retries = 3 }
    reconcile-usage = { cron = "30 4 * * *", path = "/reconcile-usage", attempt_deadline_seconds = 300, retries = 3 }
    sweep           = { cron = "* * * * *", path = "/sweep" }
  }
}

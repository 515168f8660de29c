variable "agent_image" {
  description = "Container image of agents with a service of their own, by digest, in the repository of `modules/delivery`; null for none."
  type        = string
  default     = null
}

variable "agent_max_instances" {
  description = "Instances of one agent at most; null for the default of `deploy-agent`."
  type        = number
  default     = null
}

variable "alert_emails" {
  description = "E-mail addresses that are told of every alert beside PagerDuty, and of the budget."
  type        = set(string)
}

variable "app_url" {
  description = "Where the application of the users is, such as `https://app.example.com`."
  type        = string
}

variable "authorized_domains" {
  description = "Host names of pages that may sign users in."
  type        = list(string)
}

variable "backup" {
  description = "Where exports go: another project with its number, the location of the bucket, and the days that an export cannot be deleted."
  type = object({
    location       = string
    project_id     = string
    project_number = string
    retention_days = optional(number, 90)
  })
}

variable "budget" {
  description = "Billing account, and what a month may cost before people are told, in whole units of the currency."
  type = object({
    billing_account = string
    currency        = optional(string, "USD")
    monthly_units   = number
  })
}

variable "commit" {
  description = "The commit that is deployed, which the pipeline writes; null before the first."
  type        = string
  default     = null
}

variable "cors_origins" {
  description = "Origins whose pages may call, such as `https://app.example.com`."
  type        = list(string)
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete services and jobs."
  type        = bool
  default     = true
}

variable "domain" {
  description = "Host name of the API, such as `api.example.com`."
  type        = string
}

variable "drill" {
  description = "Project that the newest export is restored into each quarter, that of staging, with its number; null for no drill."
  type = object({
    project_id     = string
    project_number = string
  })
  default = null

  validation {
    condition     = var.drill == null || try(var.drill.project_id, "") != var.project.id
    error_message = "An export is restored into another project."
  }
}

variable "egress_ports" {
  description = "Ports that HTTP nodes of workflows may call, comma-separated; null for the default of `execute-workflow`."
  type        = string
  default     = null
}

variable "email_from" {
  description = "Sender of e-mails."
  type        = string
}

variable "google_oauth_client_id" {
  description = "OAuth client by which Google Workspace is connected; null if it is not. Its secret is the secret `google-oauth-client-secret`."
  type        = string
  default     = null
}

variable "images" {
  description = "Images by function, by digest: `images.auto.tfvars.json`, which the pipeline writes."
  type        = map(string)
}

variable "is_approved_by_hand" {
  description = "Whether a person approves each deployment."
  type        = bool
}

variable "is_gmail_told" {
  description = "Whether Gmail tells of changes itself; otherwise they come with the tick, every 15 minutes."
  type        = bool
  default     = false
}

variable "is_locked" {
  description = "Whether the retention of backups and of the audit trail's anchors is locked for good. This cannot be undone."
  type        = bool
}

variable "lease_seconds" {
  description = "Seconds of silence after which a worker has lost its run; null for the default of `execute-workflow`."
  type        = number
  default     = null
}

variable "llm" {
  description = "Models: which providers have a key among the secrets (`anthropic`, `compatible`, `gemini`, `openai`), whether Vertex AI and Google's voices are used and where, names of models, seconds for one answer, and whether every call is refused. Null is the functions' own default."
  type = object({
    compatible_base_url = optional(string)
    default_model       = optional(string)
    embedding_model     = optional(string)
    has_google_speech   = optional(bool, false)
    has_vertex          = optional(bool, false)
    is_disabled         = optional(bool, false)
    providers           = optional(set(string), ["openai"])
    timeout_seconds     = optional(number)
    vertex_location     = optional(string)
  })
  default = {}

  validation {
    condition     = length(setsubtract(var.llm.providers, ["anthropic", "compatible", "gemini", "openai"])) == 0
    error_message = "Providers are anthropic, compatible, gemini and openai."
  }
}

variable "location" {
  description = "Region of everything that is in one, such as `europe-west3`."
  type        = string
}

variable "log_filter" {
  description = "Directives of `tracing`; null for the functions' default."
  type        = string
  default     = null
}

variable "max_graph_nodes" {
  description = "Nodes of a workflow; null for the default of `execute-workflow`."
  type        = number
  default     = null
}

variable "max_steps" {
  description = "Steps of a run; null for the default of `execute-workflow`."
  type        = number
  default     = null
}

variable "min_instances" {
  description = "Instances that are kept warm, by function; none where none are named."
  type        = map(number)
  default     = {}
}

variable "pagerduty_service_key" {
  description = "Integration key of the PagerDuty service, given by `TF_VAR_pagerduty_service_key`; it is in no state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "project" {
  description = "The project: its id and its number."
  type = object({
    id     = string
    number = string
  })

  validation {
    condition     = var.project.id != var.backup.project_id
    error_message = "Backups are kept in another project."
  }
}

variable "rate_limits" {
  description = "Requests in a window, 1 to 10,000: of a client, of a user, of a client to webhooks, to `/events` and `/sweep` of public functions, back from a consent, and to `/healthz`; and the window in seconds. Null is the functions' own default."
  type = object({
    client         = optional(number)
    events         = optional(number)
    health         = optional(number)
    hooks          = optional(number)
    oauth_callback = optional(number)
    user           = optional(number)
    window_seconds = optional(number)
  })
  default = {}
}

variable "redis_url_version" {
  description = "Raised when the password of Redis is replaced."
  type        = number
  default     = 1
}

variable "release" {
  description = "What is released: a pattern of branches, or one of tags."
  type = object({
    branch = optional(string)
    tag    = optional(string)
  })
}

variable "repository" {
  description = "The connection of Cloud Build to the repository's host, which is made once in the browser, and the repository's URL."
  type = object({
    connection = optional(string, "github")
    url        = string
  })
}

variable "root" {
  description = "Path of the repository's root."
  type        = string
}

variable "runbooks_url" {
  description = "Where the folder `docs/runbooks` can be read."
  type        = string
}

variable "secret_versions" {
  description = "Versions of secrets that functions start with, by name; `1` where none is named."
  type        = map(string)
  default     = {}
}

variable "sendgrid_base_url" {
  description = "API that e-mails are handed to; null for the functions' default. `https://api.eu.sendgrid.com` keeps them in Europe."
  type        = string
  default     = null
}

variable "state_bucket" {
  description = "Name of the bucket of Terraform's state."
  type        = string
}

variable "stripe" {
  description = "Whether events are of real money, the portal's configuration as `stripe-setup apply` tells it, tiers of products whose prices have no lookup key, as `prod_…=pro,…`, and origins beside that of the application that Stripe's pages may lead back to. Null is the functions' own default."
  type = object({
    is_live              = bool
    portal_configuration = optional(string)
    product_tiers        = optional(string)
    return_origins       = optional(list(string), [])
  })
}

variable "sync_budget_seconds" {
  description = "Seconds that one message of a sync is worked on; null for the default of `sync-google-workspace`."
  type        = number
  default     = null
}

variable "sync_readers" {
  description = "Mails and files that an instance of the sync reads at once, 1 to 32; null for the default of `sync-google-workspace`."
  type        = number
  default     = null
}

variable "traces" {
  description = "Collector of traces, null for none, and the part of them that is kept beside those that fail, from 0 to 1; null for the functions' default."
  type = object({
    endpoint = optional(string, "https://telemetry.googleapis.com")
    ratio    = optional(number)
  })
  default = {}
}

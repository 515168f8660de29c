# What an operator sets; both environments link to this file. Their values are in `terraform.tfvars`.

variable "agent_image" {
  description = "Container image of agents with a service of their own, by digest, in this project's repository `infinity-x`; null for none."
  type        = string
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

variable "backup_project" {
  description = "Project that exports go to, with its number."
  type = object({
    id     = string
    number = string
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
  description = "The commit that is deployed, in the same file as `images`; null before the first."
  type        = string
  default     = null
}

variable "domain" {
  description = "Host name of the API, such as `api.example.com`."
  type        = string
}

variable "drill_project" {
  description = "Project that the newest export is restored into each quarter, that of staging, with its number; null for no drill."
  type = object({
    id     = string
    number = string
  })
  default = null
}

variable "email_from" {
  description = "Sender of e-mails."
  type        = string
}

variable "google_oauth_client_id" {
  description = "OAuth client by which Google Workspace is connected; null if it is not."
  type        = string
  default     = null
}

variable "images" {
  description = "Images by function, by digest: `images.auto.tfvars.json`, which the pipeline writes."
  type        = map(string)
}

variable "llm" {
  description = "Models, as `modules/platform` tells: providers that have a key, Vertex AI, voices, names."
  type        = any
  default     = {}
}

variable "location" {
  description = "Region of everything that is in one, such as `europe-west3`."
  type        = string
}

variable "pagerduty_service_key" {
  description = "Integration key of the PagerDuty service, given by `TF_VAR_pagerduty_service_key`; it is in no state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "project" {
  description = "The project with its number."
  type = object({
    id     = string
    number = string
  })
}

variable "repository" {
  description = "The connection of Cloud Build to the repository's host, which is made once in the browser, and the repository's URL."
  type = object({
    connection = optional(string, "github")
    url        = string
  })
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

variable "state_bucket" {
  description = "Name of the bucket of Terraform's state, as in `backend.tf`."
  type        = string
}

variable "stripe_portal_configuration" {
  description = "What Stripe's portal offers: the `bpc_…` that `stripe-setup apply` tells; null for the account's default."
  type        = string
  default     = null
}

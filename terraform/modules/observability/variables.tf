variable "alert_emails" {
  description = "E-mail addresses that are told of every alert beside PagerDuty."
  type        = set(string)
  default     = []
}

variable "budget" {
  description = "Billing account, and what a month may cost before people are told, in whole units of the currency."
  type = object({
    billing_account = string
    currency        = optional(string, "USD")
    monthly_units   = number
  })
}

variable "domain" {
  description = "Host name of the API."
  type        = string
}

variable "has_drill" {
  description = "Whether a restore is tried each quarter, so that it can fail or be overdue."
  type        = bool
  default     = true
}

variable "latency_target_ms" {
  description = "Milliseconds within which 95 % of the API's requests are answered; streams are longer and count against it."
  type        = number
  default     = 2000
}

variable "pagerduty_service_key" {
  description = "Integration key of the PagerDuty service (Events API v2). It is kept by Cloud Monitoring alone, in no state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "pagerduty_service_key_version" {
  description = "Raised when the key is replaced."
  type        = number
  default     = 1
}

variable "project" {
  description = "Project that is watched: its id and its number."
  type = object({
    id     = string
    number = string
  })
}

variable "public_functions" {
  description = "Functions that people and Stripe call, whose availability is promised."
  type        = set(string)
}

variable "runbooks_url" {
  description = "Where the folder `docs/runbooks` can be read."
  type        = string
}

variable "binary_authorization" {
  description = "Whether only images that the project's policy attests may run."
  type        = bool
  default     = true
}

variable "concurrency" {
  description = "Requests that one instance works on at the same time."
  type        = number
  default     = 80
}

variable "cpu" {
  description = "Processors of one instance, in vCPU."
  type        = string
  default     = "1"
}

variable "database" {
  description = "Firestore database that the function reads and writes, as `projects/…/databases/…`."
  type        = string
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the service."
  type        = bool
  default     = true
}

variable "environment" {
  description = "Environment variables that are no secrets; those that are null or empty are left out, so that the function's own default holds."
  type        = map(string)
  default     = {}
}

variable "events" {
  description = "Eventarc triggers by name: the event's type, where it comes from (a region or `global`), exact filters, filters with patterns, and the path that takes it. An event is tried again for 24 hours, and at most `max_deliveries` times."
  type = map(object({
    content_type = optional(string)
    filters      = optional(map(string), {})
    location     = string
    path         = optional(string, "/")
    patterns     = optional(map(string), {})
    type         = string
  }))
  default = {}
}

variable "image" {
  description = "Container image, by digest."
  type        = string
}

variable "ingress" {
  description = "Who reaches the service at all: `INGRESS_TRAFFIC_INTERNAL_ONLY` for what Google calls, `INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER` for what the load balancer serves as well."
  type        = string
  default     = "INGRESS_TRAFFIC_INTERNAL_ONLY"
}

variable "is_public" {
  description = "Whether anyone may call the service, which then checks its callers itself."
  type        = bool
  default     = false
}

variable "labels" {
  description = "Labels of the service."
  type        = map(string)
  default     = {}
}

variable "location" {
  description = "Region of the service."
  type        = string
}

variable "max_deliveries" {
  description = "Deliveries of an event or message before it goes to the dead letters, 5 to 100."
  type        = number
  default     = 10
}

variable "max_instances" {
  description = "Instances at most."
  type        = number
  default     = 10
}

variable "memory" {
  description = "Memory of one instance, with its unit, such as `512Mi`."
  type        = string
  default     = "512Mi"
}

variable "min_instances" {
  description = "Instances that are kept warm."
  type        = number
  default     = 0
}

variable "name" {
  description = "Name of the function: of its folder, package, image and service."
  type        = string
}

variable "network" {
  description = "Network and subnetwork that private addresses are reached by; null for a function that needs none."
  type = object({
    network    = string
    subnetwork = string
  })
  default = null
}

variable "project" {
  description = "Project of the service: its id and its number."
  type = object({
    id     = string
    number = string
  })
}

variable "queues" {
  description = "Queues of Cloud Tasks by name, which the function fills and which call it: attempts (-1 for no end) and seconds between them, and deliveries at a time."
  type = map(object({
    max_attempts        = optional(number, 100)
    max_backoff_seconds = optional(number, 600)
    max_concurrent      = optional(number, 200)
    max_per_second      = optional(number, 100)
    min_backoff_seconds = optional(number, 1)
  }))
  default = {}
}

variable "roles" {
  description = "Roles in the project beside that on the database, each by what the function needs it for."
  type        = map(string)
  default     = {}
}

variable "schedules" {
  description = "Jobs of Cloud Scheduler by name, which call the function: when (cron, UTC), the path, and how many seconds one call may take."
  type = map(object({
    attempt_deadline_seconds = optional(number, 60)
    cron                     = string
    path                     = string
    retries                  = optional(number, 0)
  }))
  default = {}
}

variable "secrets" {
  description = "Environment variables that are secrets: the secret's resource id and its version."
  type = map(object({
    secret  = string
    version = string
  }))
  default = {}
}

variable "subscriptions" {
  description = "Pub/Sub topics by the name of the push subscription, with the path that takes their messages and the seconds within which it must answer."
  type = map(object({
    ack_deadline_seconds = optional(number, 600)
    path                 = optional(string, "/")
    topic                = string
  }))
  default = {}
}

variable "timeout_seconds" {
  description = "Seconds after which a request is answered 504."
  type        = number
  default     = 300
}

variable "url" {
  description = "The service's own URL, which its callers' tokens are made for; null for a function that only people call."
  type        = string
  default     = null
}

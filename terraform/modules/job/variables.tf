variable "arguments" {
  description = "Arguments of the program."
  type        = list(string)
  default     = []
}

variable "binary_authorization" {
  description = "Whether only images that the project's policy attests may run."
  type        = bool
  default     = true
}

variable "command" {
  description = "Program in the image; the image's own if empty."
  type        = list(string)
  default     = []
}

variable "cpu" {
  description = "Processors of the task, in vCPU."
  type        = string
  default     = "1"
}

variable "database" {
  description = "Firestore database that the job works on, as `projects/…/databases/…`; null for none."
  type        = string
  default     = null
}

variable "database_role" {
  description = "The job's role on the database; null for none."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to delete the job."
  type        = bool
  default     = true
}

variable "environment" {
  description = "Environment variables that are no secrets; those that are null or empty are left out."
  type        = map(string)
  default     = {}
}

variable "image" {
  description = "Container image, by digest."
  type        = string
}

variable "location" {
  description = "Region of the job."
  type        = string
}

variable "memory" {
  description = "Memory of the task, with its unit, such as `512Mi`."
  type        = string
  default     = "512Mi"
}

variable "name" {
  description = "Name of the job."
  type        = string
}

variable "project_id" {
  description = "Project of the job."
  type        = string
}

variable "retries" {
  description = "How often a task that failed is tried again."
  type        = number
  default     = 1
}

variable "roles" {
  description = "Roles in the project beside that on the database, each by what the job needs it for."
  type        = map(string)
  default     = {}
}

variable "schedule" {
  description = "When the job runs (cron, UTC); null for a job that is started by hand."
  type        = string
  default     = null
}

variable "secrets" {
  description = "Environment variables that are secrets: the secret's resource id and its version."
  type = map(object({
    secret  = string
    version = string
  }))
  default = {}
}

variable "timeout_seconds" {
  description = "Seconds after which a task is ended."
  type        = number
  default     = 3600
}

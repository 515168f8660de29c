variable "decrypters" {
  description = "Who may seal and open credentials, by name: the identities of the hub alone."
  type        = map(string)
}

variable "destroy_after_days" {
  description = "Days between a version's being scheduled for destruction and its end: at least as many as a backup is kept, whose sealed texts would be lost with it; 120 at most."
  type        = number
  default     = 120

  validation {
    condition     = var.destroy_after_days >= 90 && var.destroy_after_days <= 120
    error_message = "Backups are kept for 90 days, and Cloud KMS waits for 120 at most."
  }
}

variable "location" {
  description = "Location of the key ring."
  type        = string
}

variable "openers" {
  description = "Who may open credentials and seal none, by name: the drill of a restore alone."
  type        = map(string)
  default     = {}
}

variable "project_id" {
  description = "Project of the key ring."
  type        = string
}

variable "protection_level" {
  description = "`SOFTWARE` or `HSM`."
  type        = string
  default     = "SOFTWARE"
}

variable "rotation_days" {
  description = "Days after which the key of credentials gets another version, 1 to 90. The job `rewrap` moves what is sealed."
  type        = number
  default     = 30

  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 90
    error_message = "The key rotates at least every 90 days."
  }
}

variable "signers" {
  description = "Who writes the audit trail and makes tokens of invitations, by name: they may sign with the MAC key."
  type        = map(string)
}

variable "viewers" {
  description = "Who may look which version of the key of credentials is the primary one, by name."
  type        = map(string)
  default     = {}
}

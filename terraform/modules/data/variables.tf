variable "anchor_days" {
  description = "Days that the anchors of the audit trail cannot be changed or deleted."
  type        = number
  default     = 400
}

variable "backup" {
  description = "Where exports go: a project of its own with its number, the location of the bucket, and the days that an export cannot be deleted; Coldline bills 90 at least."
  type = object({
    location       = string
    project_id     = string
    project_number = string
    retention_days = optional(number, 90)
  })

  validation {
    condition     = var.backup.retention_days >= 90
    error_message = "Exports are kept for at least 90 days."
  }
}

variable "export_finders" {
  description = "Members that may list exports, by a name that is known before they are made."
  type        = map(string)
  default     = {}
}

variable "import_project_number" {
  description = "Number of the project whose Firestore may read exports on the days of a drill; null for none."
  type        = string
  default     = null
}

variable "indexes_file" {
  description = "Path of `firestore.indexes.json`."
  type        = string
}

variable "is_locked" {
  description = "Whether the retention of the buckets can be shortened by nobody, not even by Google, as long as they exist. This cannot be undone."
  type        = bool
}

variable "location" {
  description = "Region of the database and of the buckets; one region, so that triggers can be in the same."
  type        = string
}

variable "project" {
  description = "Project of the database: its id and its number."
  type = object({
    id     = string
    number = string
  })

  validation {
    condition     = can(regex("^[0-9]+$", var.project.number))
    error_message = "The number is that of the project, not its id."
  }
}

variable "rules_file" {
  description = "Path of `firestore.rules`."
  type        = string
}

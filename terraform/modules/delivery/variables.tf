variable "backup_project_id" {
  description = "Project of the exports, which deployments may look at and not change."
  type        = string
}

variable "commit" {
  description = "The commit that is deployed; null before the first."
  type        = string
  default     = null
}

variable "is_approved_by_hand" {
  description = "Whether a person approves each deployment."
  type        = bool
}

variable "is_built" {
  description = "Whether a release has been built, which makes the attestor that signs images."
  type        = bool
}

variable "location" {
  description = "Region of images and builds."
  type        = string
}

variable "project_id" {
  description = "Project of images and builds."
  type        = string
}

variable "release" {
  description = "What is released: a pattern of branches, or one of tags; exactly one of them."
  type = object({
    branch = optional(string)
    tag    = optional(string)
  })

  validation {
    condition     = (var.release.branch == null) != (var.release.tag == null)
    error_message = "Name a branch or a tag."
  }
}

variable "repository" {
  description = "The connection of Cloud Build to the repository's host, which is made once in the browser, and the repository's URL."
  type = object({
    connection = optional(string, "github")
    url        = string
  })
}

variable "state_bucket" {
  description = "Name of the bucket of Terraform's state."
  type        = string
}

variable "substitutions" {
  description = "What the pipelines are told, by name: values of the environment that are no secrets."
  type        = map(string)
}

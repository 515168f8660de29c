variable "location" {
  description = "Region that the values are kept in."
  type        = string
}

variable "names" {
  description = "Names of the secrets. Their values are added by hand or by what makes them, never here."
  type        = set(string)
}

variable "project_id" {
  description = "Project of the secrets."
  type        = string
}

variable "versions" {
  description = "Version of each secret that functions start with, by name; `1` where none is named. Another version is rolled out like code."
  type        = map(string)
  default     = {}
}

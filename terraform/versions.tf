terraform {
  # 1.9: a variable's validation may look at another variable.
  required_version = ">= 1.9"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 8.7"
    }
  }
}

provider "google" {
  project = var.project_id
  region  = var.region
  # The budget's API bills its calls to a project; with a person's credentials that must be said.
  billing_project       = var.project_id
  user_project_override = true
}

"""The staff screens of businesses and their people, of connections and leads."""

from crm.admin import connections, leads, outcomes, people, runs
from crm.admin.tenancy import TenantAdmin, roles_of

__all__ = ["TenantAdmin", "connections", "leads", "outcomes", "people", "roles_of", "runs"]

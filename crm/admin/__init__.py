"""The staff screens of businesses and their people, of connections and leads."""

from crm.admin import clients, connections, erasures, leads, outcomes, people, runs
from crm.admin.tenancy import TenantAdmin, roles_of

__all__ = ["TenantAdmin", "clients", "connections", "erasures", "leads", "outcomes", "people", "roles_of", "runs"]

"""The five CRMs behind the proxy of Nango, each with accounts of invented people."""

from config.sandbox.crms.account import Account
from config.sandbox.crms.gohighlevel import GoHighLevel
from config.sandbox.crms.hubspot import HubSpot
from config.sandbox.crms.pipedrive import Pipedrive
from config.sandbox.crms.salesforce import Salesforce
from config.sandbox.crms.zoho import Zoho

# By the name that Nango has for each provider, which is also the id of its integration here.
CRMS: dict[str, type[Account]] = {crm.provider: crm for crm in (HubSpot, Salesforce, Pipedrive, Zoho, GoHighLevel)}

__all__ = ["CRMS", "Account"]

"""The job type http_call: a request to a web service, as the payload describes it."""

from scheduler.adapters.handlers.http_call.addresses import AddressPolicy
from scheduler.adapters.handlers.http_call.client import HttpClient
from scheduler.adapters.handlers.http_call.handler import HttpCallHandler

__all__ = ["AddressPolicy", "HttpCallHandler", "HttpClient"]

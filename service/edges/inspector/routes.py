"""All that the inspector serves: its page, traces, and what is computed from them."""

from service.edges.inspector import page_routes, trace_routes, view_routes

ROUTERS = (trace_routes.router, view_routes.router, page_routes.router)

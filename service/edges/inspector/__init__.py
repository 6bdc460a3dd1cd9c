"""The pages: `/` looks into a live model, `/docs` lists the API. Offline, without a build step."""

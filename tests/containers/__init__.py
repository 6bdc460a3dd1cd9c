"""The images and the compose stack, run by a real Docker: hardened, killed, scaled, upgraded."""

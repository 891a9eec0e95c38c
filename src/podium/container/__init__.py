"""A container from an application folder: image, Compose set-up, and what they call inside."""

"""What several tests share: servers, a client, applications, pictures."""

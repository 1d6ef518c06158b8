"""What the scheduler does, in terms of the domain and of ports."""

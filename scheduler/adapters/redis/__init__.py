"""Priority queues and wake-ups in Redis or Valkey."""

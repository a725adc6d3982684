"""What Quarry is compared with: the same endpoints on the same tables, written the usual ways."""

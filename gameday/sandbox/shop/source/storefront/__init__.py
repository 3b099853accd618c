"""What customers see: baskets in, receipts out."""

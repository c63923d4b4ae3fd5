"""Long convolutions: HyenaDNA."""
